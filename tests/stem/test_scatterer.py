"""Patterns, images and deflections of samples made in code: what must hold whatever the sample."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.stem import Atoms, DopantSettings, HoleSettings, Optics, Sample, SampleSettings, Scatterer, build_sample
from dkl_core.stem.scatterer import sliced
from tests.stem.patterns import angles, centre_of_mass, rms

SMALL = SampleSettings(field_nm=5.0, holes=HoleSettings(radius_nm=0.6))
BILAYER = SampleSettings(kind="twisted_bilayer", field_nm=5.0, holes=HoleSettings(radius_nm=0.6, window_radius_nm=0.6))
# One silicon atom at a place that is no multiple of anything.
SILICON_NM = (0.1234, -0.0567)
LONE = Sample.from_atoms(Atoms(np.array([[*SILICON_NM, 0.0]]), np.array([14])), 4.0)
POSITIONS = np.random.default_rng(3).uniform(-1.5, 1.5, (12, 2))


@pytest.fixture(scope="module")
def graphene() -> Scatterer:
    return Scatterer(build_sample(SMALL))


def patterns(scatterer: Scatterer, positions=POSITIONS) -> np.ndarray:
    return np.stack([scatterer.pattern(y, x) for y, x in positions])


def com(scatterer: Scatterer, positions) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = scatterer.centre_px
    assert rows == cols
    return centre_of_mass(patterns(scatterer, positions), angles(scatterer.shape[0], rows, scatterer.mrad_per_px))


def test_the_camera_catches_nearly_the_whole_beam_and_never_more(graphene) -> None:
    total = patterns(graphene).sum(axis=(1, 2))
    assert np.all(total < 1 + 1e-5)
    assert np.all(total > 0.998)


def test_in_vacuum_the_pattern_is_the_undeflected_disc_of_intensity_one(graphene) -> None:
    far = [(-9.0, 0.3), (50.0, -50.0)]
    assert patterns(graphene, far).sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    assert np.abs(com(graphene, far)).max() < 1e-4
    assert np.abs(graphene.com_mrad(*np.transpose(far))).max() == 0
    assert graphene.haadf(*np.transpose(far)).max() == 0


def test_a_probe_left_of_an_atom_is_deflected_to_the_right_and_one_above_it_downwards() -> None:
    scatterer = Scatterer(LONE)
    y, x = np.add(SILICON_NM, [(0, -0.05), (-0.05, 0)]).T
    down, right = scatterer.com_mrad(y, x)
    seen_down, seen_right = com(scatterer, np.stack([y, x], axis=1))
    assert min(right[0], seen_right[0], down[1], seen_down[1]) > 0.5
    assert np.abs([down[0], right[1], seen_down[0], seen_right[1]]).max() < 0.01


@pytest.mark.parametrize("optics", [Optics(), Optics(c12_nm=(3.0, 2.0), c3_mm=0.01, defocus_nm=4.0)], ids=str)
def test_one_slice_obeys_ehrenfest(optics) -> None:
    sample = build_sample(SMALL)
    scatterer = Scatterer(sample, optics, shape=(512, 512), mrad_per_px=0.9, exact_mrad=230, lazy=True)
    seen, formula = com(scatterer, POSITIONS), scatterer.com_mrad(*POSITIONS.T)
    assert np.std(formula) > 0.05
    assert rms(np.subtract(seen, formula)) < 1e-3


def test_the_probe_moves_by_fractions_of_a_sample() -> None:
    scatterer = Scatterer(LONE)
    step = scatterer.grid.step_nm
    moved = Scatterer(Sample.from_atoms(Atoms(np.array([[0.37 * step, 0.0, 0.0]]), np.array([14])), 4.0))
    still = Scatterer(Sample.from_atoms(Atoms(np.zeros((1, 3)), np.array([14])), 4.0))
    ours, theirs = moved.pattern(0.37 * step + 0.05, 0.02), still.pattern(0.05, 0.02)
    assert np.abs(ours - theirs).max() < 2e-3 * theirs.max()
    assert np.abs(still.pattern(0.05 + 0.37 * step, 0.02) - theirs).max() > 5e-3 * theirs.max()


@pytest.mark.parametrize("shape", [(128, 128), (256, 192)])
def test_a_larger_window_and_a_finer_grid_give_the_same_pattern(shape) -> None:
    sample = build_sample(SampleSettings(kind="graphene_si", field_nm=6.0))
    scatterer = Scatterer(sample, shape=shape, lazy=True)
    finer = Scatterer(
        sample,
        scatterer.optics,
        shape=(2 * shape[0], 2 * shape[1]),
        mrad_per_px=scatterer.mrad_per_px / 2,
        exact_mrad=1.5 * scatterer.grid.pass_mrad,
        lazy=True,
    )
    centre = np.abs(angles(shape[0], scatterer.centre_px[0], scatterer.mrad_per_px)) < 60
    ours = scatterer.pattern(0.31, -0.22)
    # Pixels of the finer pattern are centred on those of the coarser one with half weights beside them.
    even = finer.pattern(0.31, -0.22)
    blurred = (np.roll(even, 1, 0) + 2 * even + np.roll(even, -1, 0)) / 4
    blurred = (np.roll(blurred, 1, 1) + 2 * blurred + np.roll(blurred, -1, 1))[::2, ::2]
    assert even.sum() == pytest.approx(ours.sum(), abs=2e-4)
    assert np.corrcoef(ours[centre].ravel(), blurred[centre].ravel())[0, 1] > 0.998


def test_a_coarse_camera_bins_a_window_large_enough_for_a_defocused_probe() -> None:
    scatterer = Scatterer(LONE, Optics(defocus_nm=80.0), shape=(64, 64), mrad_per_px=2.0)
    assert scatterer.grid.binning > 1
    assert scatterer.grid.window_nm > 2 * scatterer.optics.blur_nm()
    vacuum = com(scatterer, [(40.0, 0.0)])
    # Binning an odd number of pixels shares the edge of the disc unevenly, as a camera does.
    assert np.abs(vacuum).max() < 2e-3


def test_the_default_camera_sees_the_disc_and_beyond() -> None:
    for optics, least in ((Optics(), 90), (Optics(semiangle_mrad=5), 40)):
        for pixels in (128, 256, 512):
            scatterer = Scatterer(LONE, optics, shape=(pixels, pixels), lazy=True)
            assert scatterer.mrad_per_px * pixels / 2 > least


def test_lazy_and_eager_scatterers_give_the_same(graphene) -> None:
    lazy = Scatterer(graphene.sample, lazy=True)
    assert np.abs(patterns(lazy) - patterns(graphene)).max() < 1e-9


def test_unusable_cameras_and_positions_are_refused(graphene) -> None:
    with pytest.raises(InputError, match="pixels"):
        Scatterer(LONE, shape=(8, 256))
    with pytest.raises(InputError, match="mrad_per_px"):
        Scatterer(LONE, mrad_per_px=0.0)
    with pytest.raises(InputError, match="not finite"):
        graphene.haadf(np.nan, 0.0)
    with pytest.raises(InputError, match="scattering factor"):
        Scatterer(Sample.from_atoms(Atoms(np.zeros((1, 3)), np.array([99])), 4.0))


def damaged(scatterer: Scatterer) -> Scatterer:
    """The scatterer after each kind of change near its middle."""
    near = scatterer.atoms_near(0.1, 0.1, 0.6)
    scatterer.remove_atom(near[0])
    scatterer.replace_atom(near[2], 14)
    (y, x, _), _ = scatterer.atom(near[4])
    scatterer.move_atom(near[4], (y + 0.02, x - 0.01))
    scatterer.move_atom(near[5], (0.9, 0.8))
    scatterer.add_atom((-0.4, 0.33), 7)
    return scatterer


@pytest.mark.parametrize("settings", [SMALL, BILAYER], ids=lambda settings: settings.kind)
def test_a_changed_sample_gives_what_a_rebuilt_one_gives(settings) -> None:
    changed = Scatterer(build_sample(settings))
    changed.com_mrad(0.0, 0.0)
    before = patterns(changed)
    damaged(changed)
    rebuilt = Scatterer(Sample.from_atoms(changed.atoms, settings.field_nm))
    line = np.linspace(-1.5, 1.5, 60)
    ours, theirs = patterns(changed), patterns(rebuilt)
    assert np.abs(ours - before).max() > 0.01 * theirs.max()
    assert np.abs(ours - theirs).max() < 3e-6 * theirs.max()
    image = rebuilt.haadf(line[:, None], line)
    assert np.abs(changed.haadf(line[:, None], line) - image).max() < 1e-5 * image.max()
    difference = np.subtract(changed.com_mrad(line[:, None], line), rebuilt.com_mrad(line[:, None], line))
    assert np.abs(difference).max() < 1e-5


def test_changes_before_anything_is_calculated_count_too() -> None:
    sample = build_sample(SMALL)
    lazy, eager = damaged(Scatterer(sample, lazy=True)), damaged(Scatterer(sample))
    assert np.abs(patterns(lazy) - patterns(eager)).max() < 1e-8


def test_the_sample_stays_as_it_was_and_indices_last(graphene) -> None:
    scatterer = Scatterer(graphene.sample, lazy=True)
    place, number = scatterer.atom(40)
    scatterer.remove_atom(7)
    assert np.array_equal(scatterer.atom(40)[0], place)
    assert len(scatterer.atoms) == len(graphene.sample.atoms) - 1
    with pytest.raises(InputError, match="no atom 7"):
        scatterer.remove_atom(7)
    added = scatterer.add_atom((0.0, 0.0), 14)
    assert added == len(graphene.sample.atoms)
    assert scatterer.atom(added)[1] == 14
    assert number == 6


def test_silicon_is_brighter_than_carbon_and_holes_are_dark() -> None:
    settings = SampleSettings(field_nm=8.0, dopants=DopantSettings(count=3, threefold=1, fourfold=0, trimer=0))
    sample = build_sample(settings)
    scatterer = Scatterer(sample, lazy=True)
    line = np.linspace(-4, 4, 200)
    image = scatterer.haadf(line[:, None], line)
    silicon = [scatterer.haadf(*dopant.position_nm) for dopant in sample.dopants]
    assert min(silicon) > 3 * np.quantile(image, 0.99)
    vacuum = sample.vacuum_at(line[:, None], line)
    assert image[vacuum].mean() < 0.5 * image[~vacuum].mean()


def test_slices_follow_the_layers() -> None:
    one, two = build_sample(SMALL), build_sample(BILAYER)
    assert set(sliced(one.atoms)[0]) == {0}
    slices, depths = sliced(two.atoms)
    assert np.array_equal(slices, two.layers)
    assert depths == pytest.approx([0, 0.335])
