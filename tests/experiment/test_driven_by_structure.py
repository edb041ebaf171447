"""Experiments that go where the survey image is unusual, whatever the host measures there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.planted import Planted, planted_image
from dkl_core.discovery.planted_atoms import PlantedAtoms, planted_atoms
from dkl_core.discovery.settings import WORKFLOWS, DiscoverySettings
from dkl_core.discovery.targetfile import save_target
from dkl_core.errors import DataFileError, InputError, RecordError
from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, Refit, StructureSettings, run
from dkl_core.experiment.structure import EVENT
from dkl_core.experiment.structure import WORKFLOWS as DRIVING
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import PatchSettings
from dkl_core.record import RunRecord, read_run
from dkl_core.representation.rvae import InvariantSettings
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
Make = Callable[..., Experiment]
SEEDS = 6


@pytest.fixture(scope="module")
def crystal() -> Planted:
    """One inclusion in 96 x 96 px."""
    return planted_image(size=96, radius=16, noise=0.3, seed=2, count=1)


@pytest.fixture(scope="module")
def image(crystal: Planted) -> SurveyImage:
    return SurveyImage(crystal.image)


@pytest.fixture
def driven(settings: Settings) -> Settings:
    """Settings of a quick experiment that structure drives."""

    def make(*, structure: dict[str, Any] | None = None, **changes: Any) -> ExperimentSettings:
        wanted = StructureSettings(**{"window": 16, "components": 3, **(structure or {})})
        return settings(**{"patches": PatchSettings(window=12, stride=6), "structure": wanted, **changes})

    return make


def property_at(site: Site) -> Measurement:
    """What the host measures: nothing to do with the structure."""
    raw = np.array([site.row, site.col], dtype=np.float32)
    return Measurement(Scalar(site.row + site.col / 1024, noise_variance=0.25), raw, details={"own": site.index})


def facts(experiment: Experiment) -> list[str]:
    """Everything of its measurements, as text: NaN is not equal to itself."""
    return [f"{told.site} {told.measurement.scalar} {told.measurement.measured}" for told in experiment.told]


def measure(experiment: Experiment, until: int) -> None:
    while len(experiment.told) < until and (sites := experiment.ask()):
        experiment.tell(sites[0], property_at(sites[0]))


def test_the_scalar_is_that_of_the_image_and_what_was_measured_is_kept(image: SurveyImage, driven: Settings) -> None:
    experiment = Experiment(image, driven())
    site = experiment.ask()[0]
    told = experiment.tell(site, property_at(site))
    assert experiment.structure is not None
    assert told.measurement.scalar == experiment.structure.scalar(site.index)
    assert told.measurement.measured == property_at(site).scalar
    assert told.measurement.details["own"] == site.index
    assert experiment.begin_refit().data.values.tolist() == [told.measurement.scalar.value]


def test_it_goes_where_the_image_is_unusual(image: SurveyImage, crystal: Planted, driven: Settings) -> None:
    experiment = Experiment(image, driven(acquisition="ei", seed=1))
    measure(experiment, 20)
    visited = [told.site for told in experiment.told]
    inside = [bool(crystal.phase[site.row, site.col]) for site in visited]
    sites = experiment.sites.positions
    share = float(crystal.phase[sites[:, 0], sites[:, 1]].mean())
    assert share < 0.15
    assert np.mean(inside[SEEDS:]) > 4 * share
    assert experiment.best is not None
    assert crystal.phase[experiment.best.site.row, experiment.best.site.col]


def test_the_numbers_are_those_of_the_discovery_of_the_image(image: SurveyImage, driven: Settings) -> None:
    experiment = Experiment(image, driven(seed=7))
    experiment.learn_structure()
    asked = DiscoverySettings(window=16, components=3, seed=7)
    target = Discovery.begin(image, asked).target
    assert experiment.structure is not None
    inner = [site for site in map(experiment.sites.__getitem__, range(len(experiment.sites))) if 8 <= site.row < 80]
    inner = [site for site in inner if 8 <= site.col < 80][::7]
    prepared = (image.values - image.values.mean()) / image.values.std()
    windows = np.stack([prepared[s.row - 8 : s.row + 8, s.col - 8 : s.col + 8] for s in inner]).astype(np.float32)
    found = [experiment.structure.scalar(site.index).value for site in inner]
    assert max(found) > 0
    assert np.allclose(found, target.of(windows), rtol=1e-5, atol=1e-6)
    assert np.allclose(experiment.structure.everywhere()[[site.index for site in inner]], found)


def test_near_the_border_the_nearest_whole_window_counts(driven: Settings) -> None:
    # A lattice without any defect: continued beyond its border it would have one there.
    rows, cols = np.indices((96, 96))
    noise = 0.3 * np.random.default_rng(0).standard_normal((96, 96))
    image = SurveyImage(np.cos(2 * np.pi * rows / 7.3) + np.cos(2 * np.pi * cols / 7.3) + noise)
    cut = PatchSettings(window=12, stride=6, edge="reflect")
    experiment = Experiment(image, driven(patches=cut))
    experiment.learn_structure()
    assert experiment.structure is not None
    sites, values = experiment.sites, experiment.structure.everywhere()
    corner, inside = sites.nearest(0, 0), sites.nearest(6, 6)
    assert (corner.row, corner.col) == (0, 0)
    assert values[corner.index] == values[inside.index]


def test_a_failed_measurement_stays_failed(image: SurveyImage, driven: Settings) -> None:
    experiment = Experiment(image, driven(retries=1))
    site = experiment.ask()[0]
    told = experiment.tell(site, Measurement.failed("no gap in the spectrum"))
    assert not told.measurement.ok
    assert told.measurement.reason == "no gap in the spectrum"
    experiment.tell(site, float("nan"))
    assert site.index in experiment.excluded


def test_measured_scalars_can_be_revised_and_the_structure_stays(image: SurveyImage, driven: Settings) -> None:
    experiment = Experiment(image, driven())
    measure(experiment, 8)
    before = [told.measurement.scalar for told in experiment.told]
    assert experiment.predict() is not None
    mean = experiment.predict().mean.copy()  # type: ignore[union-attr]
    experiment.revise({2: Scalar(-5.0, noise_variance=4.0), 7: Scalar(9.0)})
    assert [told.measurement.scalar for told in experiment.told] == before
    assert experiment.told[2].measurement.measured == Scalar(-5.0, noise_variance=4.0)
    assert experiment.told[7].measurement.measured == Scalar(9.0)
    assert np.array_equal(experiment.predict().mean, mean)  # type: ignore[union-attr]


def test_a_measurement_that_is_rejected_and_taken_again_has_its_structure_again(
    image: SurveyImage, driven: Settings
) -> None:
    experiment = Experiment(image, driven())
    measure(experiment, 3)
    known = experiment.told[1].measurement
    experiment.revise({1: replace(known.measured, valid=False, reason="rejected")})
    assert not experiment.told[1].measurement.ok
    assert len(experiment.begin_refit().data) == 2
    experiment.revise({1: known.measured})
    assert experiment.told[1].measurement.scalar == known.scalar
    assert experiment.told[1].measurement.measured == known.measured


def test_a_failed_measurement_that_becomes_valid_gets_its_structure(image: SurveyImage, driven: Settings) -> None:
    experiment = Experiment(image, driven())
    site = experiment.ask()[0]
    experiment.tell(site, Measurement.failed("no reference yet"))
    experiment.revise({0: Scalar(3.0)})
    assert experiment.structure is not None
    assert experiment.told[0].measurement.scalar == experiment.structure.scalar(site.index)
    assert experiment.told[0].measurement.measured == Scalar(3.0)


def test_nothing_is_asked_before_the_structure_is_known(driven: Settings) -> None:
    # Every window holds the same: there is nothing to tell apart.
    image = SurveyImage(np.tile([[0.0, 1.0], [1.0, 0.0]], (48, 48)))
    experiment = Experiment(image, driven())
    with pytest.raises(InputError, match="all windows look the same"):
        experiment.ask()
    assert experiment.pending == ()


def test_a_measurement_that_comes_before_the_structure_can_be_known_is_kept(driven: Settings) -> None:
    image = SurveyImage(np.tile([[0.0, 1.0], [1.0, 0.0]], (48, 48)))
    experiment = Experiment(image, driven())
    told = experiment.tell(0, property_at(experiment.sites[0]))
    assert "not known: all windows look the same" in told.measurement.reason
    assert told.measurement.measured == property_at(experiment.sites[0]).scalar


def test_a_window_larger_than_the_image_is_refused_at_once(image: SurveyImage, driven: Settings) -> None:
    with pytest.raises(InputError, match="96 x 96 px is smaller than the window of 100 px"):
        Experiment(image, driven(structure={"window": 100}))


def test_learning_can_be_followed_and_ended(
    image: SurveyImage, driven: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = InvariantSettings(4, 2, starts=1)
    monkeypatch.setattr("dkl_core.discovery.invariant.invariant_settings", lambda *_: short)
    experiment = Experiment(image, driven(structure={"workflow": "patch-rvae"}))
    shares: list[float] = []

    def step(share: float) -> None:
        shares.append(share)
        if len(shares) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.learn_structure(step)
    assert 0 < shares[0] < shares[1] < 1
    assert experiment.structure is not None
    assert not experiment.structure.is_known


# ---------------------------------------------------------------------- the record


def test_a_resumed_run_goes_on_to_the_bit(image: SurveyImage, driven: Settings, tmp_path: Path) -> None:
    whole = Experiment(image, driven(seed=5))
    measure(whole, 14)
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, image, driven(seed=5)) as recorded:
        measure(recorded.experiment, 9)
        recorded.experiment.revise({1: Scalar(77.0)})
        notices = recorded.experiment.structure.notices  # type: ignore[union-attr]
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.structure is not None
        assert recorded.experiment.structure.is_known
        assert recorded.experiment.structure.notices == notices
        assert recorded.experiment.told[1].measurement.measured == Scalar(77.0)
        measure(recorded.experiment, 14)
        again = recorded.experiment
        assert [told.site for told in again.told] == [told.site for told in whole.told]
        assert [told.measurement.scalar for told in again.told] == [told.measurement.scalar for told in whole.told]
    with read_run(path) as contents:
        table = contents.measurements
        assert table.value.tolist() == [told.measurement.scalar.value for told in whole.told]
        assert table.details[1]["measured"]["value"] == 77.0
        measured = [details["measured"]["value"] for details in table.details]
        expected = [property_at(told.site).scalar.value for told in whole.told]
        assert measured[:1] + measured[2:] == expected[:1] + expected[2:]
        assert contents.raw(3).tolist() == [whole.told[3].site.row, whole.told[3].site.col]  # type: ignore[union-attr]


def test_a_run_is_resumed_without_learning_anew(
    image: SurveyImage, driven: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordedExperiment.start(tmp_path / "run.h5", image, driven()) as recorded:
        measure(recorded.experiment, 3)
    monkeypatch.setattr(Discovery, "begin", None)
    with RecordedExperiment.resume(tmp_path / "run.h5") as recorded:
        measure(recorded.experiment, 5)
        assert all(told.measurement.ok for told in recorded.experiment.told)


def test_a_run_that_ended_before_its_structure_was_known_learns_it(
    image: SurveyImage, driven: Settings, tmp_path: Path
) -> None:
    with RecordedExperiment.start(tmp_path / "run.h5", image, driven()):
        pass
    whole = Experiment(image, driven())
    measure(whole, 3)
    with RecordedExperiment.resume(tmp_path / "run.h5") as recorded:
        measure(recorded.experiment, 3)
        assert facts(recorded.experiment) == facts(whole)


def test_an_autoencoder_is_kept_and_used_again_to_the_bit(
    image: SurveyImage, driven: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = InvariantSettings(2, 4, starts=1)
    monkeypatch.setattr("dkl_core.discovery.invariant.invariant_settings", lambda *_: short)
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, image, driven(structure={"workflow": "patch-rvae"})) as recorded:
        measure(recorded.experiment, 2)
        structure = recorded.experiment.structure
        assert structure is not None
        values = [structure.scalar(index) for index in range(len(recorded.experiment.sites))]
    with RecordedExperiment.resume(path) as recorded:
        again = recorded.experiment.structure
        assert again is not None
        assert [again.scalar(index) for index in range(len(values))] == values


def test_what_the_record_holds_of_a_revision_is_what_the_experiment_holds(
    image: SurveyImage, driven: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, image, driven()) as recorded:
        measure(recorded.experiment, 4)
        recorded.experiment.revise({0: Scalar.invalid("rejected", 3.0), 2: Scalar(8.5)})
        recorded.experiment.revise({0: Scalar(4.0)})
        before = facts(recorded.experiment)
        # While it is written, and when it is in order.
        with read_run(path) as contents:
            while_written = contents.measurements.details
    with read_run(path) as contents:
        assert [dict(one["measured"]) for one in contents.measurements.details] == [
            told.measurement.measured.to_json() for told in recorded.experiment.told
        ]
        assert [one["measured"] for one in while_written] == [one["measured"] for one in contents.measurements.details]
    with RecordedExperiment.resume(path) as recorded:
        assert facts(recorded.experiment) == before


def test_a_structure_that_cannot_be_recorded_is_not_used(image: SurveyImage, driven: Settings) -> None:
    def full(kind: str, *_: object) -> None:
        if kind == EVENT:
            raise RecordError("no space left")

    experiment = Experiment(image, driven(), sink=full)
    with pytest.raises(RecordError, match="no space left"):
        experiment.ask()
    assert experiment.structure is not None
    assert not experiment.structure.is_known
    assert experiment.pending == ()


def test_a_damaged_structure_in_a_record_is_said(image: SurveyImage, driven: Settings, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, image, driven()) as recorded:
        recorded.experiment.learn_structure()
    with read_run(path) as contents:
        header, (event,) = contents.header, list(contents.events())
        kept = {name: np.asarray(array) for name, array in event.arrays.items()}
    with RunRecord.create(tmp_path / "bad.h5", header) as record:
        record.append(replace(event, arrays={**kept, "offset": kept["offset"][:3]}))
    with pytest.raises(RecordError, match=r"no experiment that can be continued: the target in the record .* offset"):
        RecordedExperiment.resume(tmp_path / "bad.h5")


# ---------------------------------------------------------------------- a saved target


@pytest.fixture
def saved(image: SurveyImage, tmp_path: Path) -> Path:
    learned = Discovery.begin(image, DiscoverySettings(window=16, components=3))
    return save_target(tmp_path / "learned.npz", learned.target, learned.settings)


def test_a_saved_target_is_looked_for_in_another_image(saved: Path, driven: Settings) -> None:
    other = planted_image(size=96, radius=16, noise=0.3, seed=8, count=1)
    experiment = Experiment(SurveyImage(other.image), driven(structure={"file": str(saved)}))
    experiment.learn_structure()
    assert experiment.structure is not None
    values, places = experiment.structure.everywhere(), experiment.sites.positions
    inside = other.phase[places[:, 0], places[:, 1]]
    assert values[inside].mean() > 5 * values[~inside].mean()


def test_a_run_does_not_need_the_file_of_its_target_again(
    saved: Path, image: SurveyImage, driven: Settings, tmp_path: Path
) -> None:
    with RecordedExperiment.start(tmp_path / "run.h5", image, driven(structure={"file": str(saved)})) as recorded:
        measure(recorded.experiment, 3)
        before = facts(recorded.experiment)
    saved.unlink()
    with RecordedExperiment.resume(tmp_path / "run.h5") as recorded:
        assert facts(recorded.experiment) == before
        measure(recorded.experiment, 4)
        assert recorded.experiment.told[-1].measurement.ok


def test_a_missing_file_is_said_before_anything_is_measured(
    image: SurveyImage, driven: Settings, tmp_path: Path
) -> None:
    experiment = Experiment(image, driven(structure={"file": str(tmp_path / "gone.npz")}))
    with pytest.raises(DataFileError, match=r"gone\.npz cannot be read"):
        experiment.ask()


# ---------------------------------------------------------------------- atoms


@pytest.fixture(scope="module")
def atoms() -> PlantedAtoms:
    """Graphene with two groups of silicon atoms, 100 x 100 px of 0.04 nm."""
    return planted_atoms(field_nm=4.0, pixel_nm=0.04, dopants=2, seed=3)


@pytest.fixture
def round_atoms(driven: Settings) -> Settings:
    """Settings of an experiment that goes to unusual atoms."""

    def make(**changes: Any) -> ExperimentSettings:
        structure = {"workflow": "atoms-pca", "finder": "classical", "window": None}
        return driven(**{"structure": structure, "patches": PatchSettings(window=8, stride=3), **changes})

    return make


def test_sites_have_the_number_of_their_nearest_atom(atoms: PlantedAtoms, round_atoms: Settings) -> None:
    experiment = Experiment(atoms.survey, round_atoms())
    experiment.learn_structure()
    assert experiment.structure is not None
    values, places = experiment.structure.everywhere(), experiment.sites.positions
    away = np.linalg.norm(places[:, None] - atoms.dopants, axis=2).min(axis=1)
    assert len(atoms.dopants) > 0
    assert values[away < 1.5].mean() > 5 * values[away > 8].mean()
    assert experiment.structure.scalar(7) == Scalar(float(values[7]))


def test_where_there_is_no_atom_nothing_is_unusual(atoms: PlantedAtoms, round_atoms: Settings) -> None:
    rng = np.random.default_rng(0)
    vacuum = rng.poisson(2.0, (100, 60)).astype(float)
    image = SurveyImage(np.hstack([atoms.survey.values, vacuum]), atoms.survey.pixel_nm)
    experiment = Experiment(image, round_atoms())
    experiment.learn_structure()
    assert experiment.structure is not None
    beyond = experiment.sites.positions[:, 1] > 120
    assert beyond.any()
    assert not experiment.structure.everywhere()[beyond].any()


def test_a_run_round_atoms_is_resumed_without_finding_them_again(
    atoms: PlantedAtoms, round_atoms: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordedExperiment.start(tmp_path / "run.h5", atoms.survey, round_atoms()) as recorded:
        measure(recorded.experiment, 4)
        before = facts(recorded.experiment)
        structure = recorded.experiment.structure
    monkeypatch.setattr(Discovery, "begin", None)
    with RecordedExperiment.resume(tmp_path / "run.h5") as recorded:
        assert facts(recorded.experiment) == before
        assert structure is not None
        assert recorded.experiment.structure is not None
        assert np.array_equal(recorded.experiment.structure.everywhere(), structure.everywhere())
        measure(recorded.experiment, 5)


def test_a_saved_target_of_atoms_is_looked_for_in_another_image(
    atoms: PlantedAtoms, round_atoms: Settings, tmp_path: Path
) -> None:
    learned = Discovery.begin(atoms.survey, DiscoverySettings("atoms-pca", finder="classical"))
    saved = save_target(tmp_path / "atoms.npz", learned.target, learned.settings)
    other = planted_atoms(field_nm=4.0, pixel_nm=0.04, dopants=2, seed=4)
    looked_for = {"file": str(saved), "finder": "classical"}
    experiment = Experiment(other.survey, round_atoms(structure=looked_for))
    experiment.learn_structure()
    assert experiment.structure is not None
    values, places = experiment.structure.everywhere(), experiment.sites.positions
    away = np.linalg.norm(places[:, None] - other.dopants, axis=2).min(axis=1)
    assert values[away < 1.5].mean() > 5 * values[away > 8].mean()


# ---------------------------------------------------------------------- settings


def test_settings_come_back_from_json(driven: Settings) -> None:
    for settings in (driven(), driven(structure={"file": "kept.npz", "component": 1}), ExperimentSettings()):
        assert ExperimentSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_of_before_there_was_structure_are_read() -> None:
    data = ExperimentSettings().to_json()
    del data["structure"]
    assert ExperimentSettings.from_json(data) == ExperimentSettings()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"workflow": "fft-ica"}, "no experiment is driven by 'fft-ica'; choose one of fft-pca"),
        ({"window": 3}, "window of the structure is 3"),
        ({"window": 16.5}, "window of the structure is 16.5"),
        ({"components": 0}, "components of the structure is 0"),
        ({"component": -1}, "component of the structure is -1"),
        ({"starts": 0}, "starts of the structure is 0"),
        ({"finder": "eyes"}, "unknown finder of atoms 'eyes'"),
        ({"file": ""}, "file of the structure is ''"),
        ({"file": 3}, "file of the structure is 3"),
        ({"colour": "red"}, "no field 'colour'"),
        ("fft-pca", "give an object"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        ExperimentSettings.from_json({"structure": given})


def test_a_goal_other_than_the_most_is_refused(driven: Settings, image: SurveyImage) -> None:
    with pytest.raises(InputError, match="leave the goal at maximise"):
        driven(goal=Goal("minimise"))
    experiment = Experiment(image, driven())
    with pytest.raises(InputError, match="leave the goal at maximise"):
        experiment.change(goal=Goal("target", 1.0))


def test_every_workflow_may_drive_an_experiment() -> None:
    assert set(DRIVING) == set(WORKFLOWS)
    assert StructureSettings("fft-nmf").words == "unusual structure (fft-nmf)"
    assert StructureSettings(file="kept.npz").words == "unusual structure (saved target)"


def test_what_structure_explains_is_not_told_where_it_drives(image: SurveyImage, driven: Settings) -> None:
    experiment, by_property = Experiment(image, driven()), Experiment(image, replace(driven(), structure=None))
    for one in (experiment, by_property):
        for index in range(8):
            one.tell(index, property_at(one.sites[index]))
        one.adopt(one.begin_refit().run())
    assert experiment.telling_share is None
    assert by_property.surrogate is not None
    assert by_property.telling_share == by_property.surrogate.judgement.telling_share


def test_without_structure_nothing_changes(make: Make) -> None:
    experiment = make()
    told = experiment.tell(3, 1.5)
    assert experiment.structure is None
    assert told.measurement.measured == told.measurement.scalar
    assert "measured" not in told.measurement.details


@pytest.mark.parametrize("refit", ["wait", "beside"])
def test_a_driven_loop_knows_the_structure_before_it_measures(
    image: SurveyImage, driven: Settings, refit: Refit
) -> None:
    experiment = Experiment(image, driven(budget=8))
    instrument = Parked(image, experiment)
    assert "budget" in run(experiment, instrument, refit=refit)
    assert instrument.log[0] == "known"
    assert instrument.log[-1] == "parked"
    assert len(experiment.told) == 8


def test_an_instrument_is_parked_where_there_is_no_structure(driven: Settings) -> None:
    image = SurveyImage(np.tile([[0.0, 1.0], [1.0, 0.0]], (48, 48)))
    experiment = Experiment(image, driven())
    instrument = Parked(image, experiment)
    with pytest.raises(InputError, match="all windows look the same"):
        run(experiment, instrument, refit="beside")
    assert instrument.log == ["parked"]


class Parked:
    """Says whether the structure was known when it measured, and when it was parked."""

    def __init__(self, survey: SurveyImage, experiment: Experiment) -> None:
        self.survey, self.experiment = survey, experiment
        self.log: list[str] = []

    def image(self) -> SurveyImage:
        return self.survey

    def measure(self, site: Site) -> Measurement:
        structure = self.experiment.structure
        self.log.append("known" if structure is not None and structure.is_known else "unknown")
        return property_at(site)

    def park(self) -> None:
        self.log.append("parked")
