"""Structural targets that are written to a file and read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.discovery.atompatches import AtomSites
from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.invariant import InvariantDecomposition
from dkl_core.discovery.planted import Planted, planted_image
from dkl_core.discovery.planted_atoms import planted_atoms
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.targetfile import discovery_with, load_target, save_target
from dkl_core.errors import DataFileError, InputError
from dkl_core.survey import SurveyImage

Members = dict[str, Any]
# With fewer and with more windows than numbers in a descriptor, principal components are calculated in another way.
LINEAR = (("fft-pca", 150), ("fft-pca", 600), ("fft-nmf", 150), ("fft-nfindr", 150), ("patch-pca", 150))


@pytest.fixture(scope="module")
def survey(planted: Planted) -> SurveyImage:
    return SurveyImage(planted.image)


@pytest.fixture(scope="module")
def learned(survey: SurveyImage) -> Discovery:
    """Principal components, learned once."""
    return Discovery.begin(survey, DiscoverySettings(window=24, stride=6, sample=200, levelling="plane"))


@pytest.fixture
def saved(learned: Discovery, tmp_path: Path) -> Path:
    return save_target(tmp_path / "learned.npz", learned.target, learned.settings)


@pytest.fixture
def changed(saved: Path) -> Callable[..., Path]:
    """Writes the file again with something changed: members, or facts by a function."""

    def change(facts: Callable[[dict[str, Any]], object] | None = None, **members: Any) -> Path:
        with np.load(saved) as kept:
            content: Members = {name: kept[name] for name in kept.files}
        known = json.loads(str(content["facts"]))
        if facts is not None:
            facts(known)
        content |= {"facts": np.array(json.dumps(known)), **members}
        np.savez(saved, **{name: value for name, value in content.items() if value is not None})
        return saved

    return change


@pytest.mark.parametrize(("workflow", "sample"), LINEAR)
def test_a_target_comes_back_to_the_last_bit(survey: SurveyImage, workflow: str, sample: int, tmp_path: Path) -> None:
    asked = DiscoverySettings(workflow, window=24, stride=6, components=3, starts=2, sample=sample, seed=5)
    discovery = Discovery.begin(survey, asked)
    file = save_target(tmp_path / "one.npz", discovery.target, discovery.settings)
    target, settings = load_target(file)
    assert settings == asked
    assert target.choice == discovery.target.choice
    assert target.usual == discovery.target.usual
    assert target.decomposition.verdict == discovery.target.decomposition.verdict
    assert target.descriptor == discovery.target.descriptor
    assert np.array_equal(target.weights, discovery.target.weights)
    assert np.array_equal(target.sample.positions, discovery.target.sample.positions)
    whole = discovery.target.everywhere(discovery.patches)
    assert whole.max() > 0
    assert np.array_equal(target.everywhere(discovery.patches), whole)
    for site in (0, 17, 101):
        assert target.at(discovery.patches, [site]) == discovery.target.at(discovery.patches, [site])
    again = save_target(tmp_path / "two.npz", target, settings)
    with np.load(file) as one, np.load(again) as two:
        assert one.files == two.files
        assert all(one[name].tobytes() == two[name].tobytes() for name in one.files)


def test_the_invariant_autoencoder_comes_back_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    import torch

    from dkl_core.discovery import target as learning
    from dkl_core.representation.rvae import InvariantSettings

    # A short training is as good to be kept.
    short = InvariantSettings(2, 4, starts=1)
    monkeypatch.setattr("dkl_core.discovery.invariant.invariant_settings", lambda *_: short)
    survey = SurveyImage(planted_image(64, 12, seed=1, count=1).image)
    discovery = Discovery.begin(survey, DiscoverySettings("patch-rvae", window=12, stride=6, sample=60))
    assert learning.StructuralTarget is type(discovery.target)
    file = save_target(tmp_path / "rvae.npz", discovery.target, discovery.settings)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    target, _ = load_target(file)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(target.decomposition, InvariantDecomposition)
    assert np.array_equal(target.everywhere(discovery.patches), discovery.target.everywhere(discovery.patches))
    # A single start agrees with no other: NaN, which JSON cannot hold.
    assert np.isnan(target.decomposition.verdict.agreements).all()


def test_a_target_round_atoms_keeps_their_exact_places(tmp_path: Path) -> None:
    planted = planted_atoms(field_nm=4.0, pixel_nm=0.04, dopants=2, seed=3)
    discovery = Discovery.begin(planted.survey, DiscoverySettings("atoms-pca", finder="classical"))
    file = save_target(tmp_path / "atoms.npz", discovery.target, discovery.settings)
    target, settings = load_target(file)
    assert settings.window == discovery.patches.window
    assert isinstance(target.sample, AtomSites)
    assert isinstance(discovery.target.sample, AtomSites)
    assert np.array_equal(target.sample.exact, discovery.target.sample.exact)
    assert np.array_equal(target.everywhere(discovery.patches), discovery.target.everywhere(discovery.patches))


def test_what_was_learned_on_one_image_is_found_in_another(saved: Path, learned: Discovery) -> None:
    other = planted_image(size=120, radius=20, noise=0.4, seed=9, count=1)
    found = discovery_with(saved, SurveyImage(other.image), DiscoverySettings("patch-nmf", stride=4))
    assert (found.settings.workflow, found.settings.window, found.settings.levelling) == ("fft-pca", 24, "plane")
    assert found.settings.stride == 4
    assert found.target.usual == learned.target.usual
    # What figures are drawn from is of this image.
    assert found.target.sample.shape == (120, 120)
    values, places = found.target.everywhere(found.patches), found.patches.sites.positions
    inside = other.phase[places[:, 0], places[:, 1]]
    assert values[inside].mean() > 5 * values[~inside].mean()


def test_an_image_smaller_than_the_window_of_the_target_is_refused(saved: Path) -> None:
    with pytest.raises(InputError, match=r"smaller than the 24 px of the target in learned\.npz"):
        discovery_with(saved, SurveyImage(np.arange(400.0).reshape(20, 20)), DiscoverySettings())


def test_another_ending_is_refused(learned: Discovery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.npz; call it learned\.npz"):
        save_target(tmp_path / "learned.pkl", learned.target, learned.settings)


def test_a_place_that_cannot_be_written_is_said(learned: Discovery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing of the target's file is not there"):
        save_target(tmp_path / "missing" / "learned.npz", learned.target, learned.settings)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataFileError, match="cannot be written"):
        save_target(tmp_path / "folder.npz", learned.target, learned.settings)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of an archive", b"plain text"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.npz"
    file.write_bytes(content)
    with pytest.raises(DataFileError, match=r"other.npz cannot be read as a saved target"):
        load_target(file)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="No such file"):
        load_target(tmp_path / "gone.npz")


def test_half_a_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(DataFileError, match="cannot be read"):
        load_target(saved)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image.npz"
    np.savez(file, image=np.eye(4))
    with pytest.raises(DataFileError, match="holds no structural target"):
        load_target(file)


def test_objects_are_never_unpickled(changed: Callable[..., Path]) -> None:
    file = changed(weights=np.array([{"code": 1}], dtype=object))
    with pytest.raises(DataFileError, match="cannot be read"):
        load_target(file)


def test_more_than_a_target_can_hold_is_not_read(changed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dkl_core.discovery.targetfile._MOST_BYTES", 2**20)
    file = changed(extra=np.zeros(2**18))
    with pytest.raises(DataFileError, match="MiB, a target 1 at most"):
        load_target(file)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"weights": None}, "lacks 'weights'"),
        ({"components": np.zeros((4, 7))}, "components has shape"),
        ({"offset": np.full(24 * 13, np.nan)}, "offset holds other things than finite numbers"),
        ({"basis": np.zeros((2, 24 * 13))}, "basis has shape"),
        ({"weights": np.array([["a", "b"]])}, "weights holds other things"),
        ({"sample": np.zeros((3, 2))}, "sample has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_named(changed: Callable[..., Path], members: Members, reason: str) -> None:
    with pytest.raises(DataFileError, match=reason):
        load_target(changed(**members))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda facts: facts.update(version=2), "version 2, this program reads 1"),
        (lambda facts: facts.update(kind="something"), "holds no structural target"),
        (lambda facts: facts.update(decomposition="ica"), "'ica' is unknown"),
        (lambda facts: facts["choice"].update(component=9), "component 9 of 4"),
        (lambda facts: facts["descriptor"].update(window=16), "window is 24 px in one place and 16 px in another"),
        (lambda facts: facts["settings"].update(workflow="fft-ica"), "unknown workflow 'fft-ica'"),
        (lambda facts: facts["settings"].update(colour="red"), "no field 'colour'"),
        (lambda facts: facts.pop("usual"), "lacks 'usual'"),
        (lambda facts: facts["verdict"].update(odd=1), "odd"),
        (lambda facts: facts["choice"].update(scores=[0.1]), "scores has 1 numbers for 4 components"),
    ],
)
def test_facts_that_do_not_fit_are_named(
    changed: Callable[..., Path], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(DataFileError, match=reason):
        load_target(changed(change))
