from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import ScalarizerError
from dkl_core.scalarizers import Pattern, available_scalarizers, get_scalarizer, register, registry, try_scalarizer
from tests.scalarizers.patterns import counted, disc

SOURCE = '''
import numpy as np


def brightest_mrad(pattern, centre_px: float = 64.0):
    """Distance of the brightest row from a row, mrad."""
    return abs(int(np.argmax(np.sum(pattern, axis=1))) - centre_px) * pattern.mrad_per_px


def confused(pattern):
    return pattern.values[9999, 0]
'''


@pytest.fixture
def frame() -> Pattern:
    return Pattern(counted(disc(middle=(70.0, 64.0))), 0.5, counts_per_electron=1.0)


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_a_function_in_a_file_gets_the_pattern_with_its_calibration(own_file: Path, frame: Pattern) -> None:
    mine = get_scalarizer(f"{own_file}:brightest_mrad", centre_px=60.0)
    assert try_scalarizer(mine, frame).value == pytest.approx(5.0, abs=2.0)


def test_a_function_known_by_name_takes_patterns(frame: Pattern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))

    @register("my_total", raw_kind="pattern")
    def my_total(pattern: Pattern) -> float:
        return float(np.sum(pattern)) * 1e-6

    mine = get_scalarizer("my_total")
    assert mine.raw_kind == "pattern"
    assert try_scalarizer(mine, frame).value == pytest.approx(1.87, rel=0.01)


def test_a_function_of_an_installed_package_is_found_by_its_entry_point(
    own_file: Path, frame: Pattern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(own_file.parent))
    point = metadata.EntryPoint("brightest", "mine:brightest_mrad", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda **_: metadata.EntryPoints([point]))
    assert "brightest" in [info.name for info in available_scalarizers()]
    assert try_scalarizer(get_scalarizer("brightest"), frame).valid


def test_an_error_shows_on_one_frame_before_the_run(own_file: Path, frame: Pattern) -> None:
    with pytest.raises(ScalarizerError, match=r"confused.*IndexError.*mine\.py, line 11"):
        try_scalarizer(get_scalarizer(f"{own_file}:confused"), frame)


def test_a_built_in_scalarizer_is_tried_on_one_frame_in_the_same_way(frame: Pattern) -> None:
    assert try_scalarizer(get_scalarizer("com_magnitude"), frame).valid
    blanked = try_scalarizer(get_scalarizer("com_magnitude"), Pattern(np.zeros((64, 64)), 0.5))
    assert blanked.reason.startswith("no beam")
