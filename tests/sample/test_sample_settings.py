import pytest

from dkl_core.errors import InputError
from dkl_core.sample import ElectronicSettings, RealismSettings, StateSettings, StructureSettings, SurfaceSettings


def test_defaults_are_fifty_nanometres_in_256_by_256_pixels():
    settings = SurfaceSettings()
    assert settings.extent_nm == (50.0, 50.0)
    assert settings.shape == (256, 256)


def test_equal_settings_compare_and_hash_equal():
    assert SurfaceSettings(seed=3) == SurfaceSettings(seed=3)
    assert len({SurfaceSettings(seed=3), SurfaceSettings(seed=3)}) == 1


def test_an_ideal_instrument_adds_nothing_and_leaves_the_sample_alone():
    settings = SurfaceSettings(seed=4, realism=RealismSettings(drift_nm_per_min=(1.0, 2.0), tip_change_s=5.0))
    ideal = settings.ideal()
    assert ideal.realism == RealismSettings.none()
    assert (ideal.seed, ideal.structure, ideal.electronics) == (4, settings.structure, settings.electronics)


@pytest.mark.parametrize(
    ("group", "wrong"),
    [
        (SurfaceSettings, {"seed": -1}),
        (SurfaceSettings, {"extent_nm": (50.0, 0.0)}),
        (SurfaceSettings, {"shape": (0, 256)}),
        (StructureSettings, {"lattice_nm": 0.0}),
        (StructureSettings, {"vacancies_per_nm2": -0.1}),
        (StructureSettings, {"terrace_nm": float("nan")}),
        (ElectronicSettings, {"onset_ev": 0.0}),
        (ElectronicSettings, {"points": 1}),
        (ElectronicSettings, {"valence_edge_ev": 0.8}),
        (RealismSettings, {"current_noise_a": -1e-12}),
        (RealismSettings, {"saturation_a": 0.0}),
        (RealismSettings, {"unstable_share": 1.5}),
    ],
)
def test_an_impossible_setting_is_refused_by_name(group, wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name.split("_")[0].replace("shape", "rows")):
        group(**wrong)


def test_an_influence_needs_a_length():
    with pytest.raises(InputError, match="decay_nm is 0"):
        StateSettings(0.1, 0.1, 0.2, 0.05, decay_nm=0.0)
