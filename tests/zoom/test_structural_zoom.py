"""Runs through several levels of zoom that structure drives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules, StructureSettings
from dkl_core.measurement import Measurement, Site
from dkl_core.patches import PatchSettings
from dkl_core.surrogate import SurrogateSettings
from dkl_core.zoom import MultiscaleResult, ZoomRules, ZoomSize, resume_multiscale, run_multiscale
from tests.zoom.scope import Scope

SETTINGS = ExperimentSettings(
    patches=PatchSettings(window=6, stride=4),
    surrogate=SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4),
    seeds=SeedSettings(6),
    stop=StopRules(9),
    structure=StructureSettings("patch-pca", window=8, components=3),
    seed=3,
)


def seen(result: MultiscaleResult) -> list[list[tuple[int, float, float]]]:
    """Site, structure and property of every measurement of every level."""
    return [
        [(told.site.index, told.measurement.scalar.value, told.measurement.measured.value) for told in level.told]
        for level in result.levels
    ]


def test_every_level_learns_what_is_unusual_in_its_own_image(tmp_path: Path, one_thread: None) -> None:
    sizes, rules = (ZoomSize(16.0),), ZoomRules(sigmas=0.0)
    result = run_multiscale(Scope(), settings=SETTINGS, sizes=sizes, rules=rules, folder=tmp_path / "run")
    assert len(result.levels) == 2
    first, second = (level.experiment.structure for level in result.levels)
    assert first is not None
    assert second is not None
    assert not np.array_equal(first.everywhere(), second.everywhere())
    for level, structure in zip(result.levels, (first, second), strict=True):
        for told in level.told:
            assert told.measurement.scalar == structure.scalar(told.site.index)
            assert told.measurement.measured.value != told.measurement.scalar.value


def test_a_run_that_was_interrupted_goes_on_as_it_would_have(tmp_path: Path, one_thread: None) -> None:
    class Dying(Scope):
        """Ends the run at one of its measurements."""

        left = 12

        def measure(self, site: Site) -> Measurement:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().measure(site)

    asked = {"settings": SETTINGS, "sizes": (ZoomSize(16.0),), "rules": ZoomRules(sigmas=0.0)}
    whole = run_multiscale(Scope(), **asked, folder=tmp_path / "whole")  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        run_multiscale(Dying(), **asked, folder=tmp_path / "half")  # type: ignore[arg-type]
    again = resume_multiscale(Scope(), tmp_path / "half")
    assert seen(again) == seen(whole)
    assert again.levels[1].experiment.settings == SETTINGS
