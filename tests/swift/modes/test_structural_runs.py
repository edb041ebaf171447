"""What comes after a run that structure drove: its truth, its comparison, and its property replayed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dkl_core.discovery.planted import planted_image
from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings, StopRules, StructureSettings
from dkl_core.experiment.recorded import rebuilt
from dkl_core.measurement import Measurement, Scalar
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.report import RunLabels
from dkl_core.surrogate import SurrogateSettings
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.display.words import looked_for, property_of
from nionswift_plugin.dkl.replaying.comparing import compared
from nionswift_plugin.dkl.replaying.files import read_file
from nionswift_plugin.dkl.replaying.truth import truth_of

HOST = {"target": "com_magnitude"}


@pytest.fixture
def run(tmp_path: Path, one_thread: None) -> Path:
    """A finished run of 12 sites whose property is the row."""
    image = SurveyImage(planted_image(size=72, radius=14, noise=0.3, seed=2, count=1).image)
    settings = ExperimentSettings(
        patches=PatchSettings(window=12, stride=6),
        surrogate=SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4),
        seeds=SeedSettings(6),
        stop=StopRules(12),
        structure=StructureSettings(window=16, components=3),
    )
    with RecordedExperiment.start(tmp_path / "run.h5", image, settings, host=HOST) as recorded:
        while sites := recorded.experiment.ask():
            recorded.experiment.tell(sites[0], Measurement(Scalar(float(sites[0].row)), raw=np.ones((2, 2))))
    return tmp_path / "run.h5"


def test_a_structural_run_is_compared_with_the_structure_of_the_image(run: Path) -> None:
    with read_run(run) as contents:
        experiment = rebuilt(contents)
    truth = truth_of(experiment, HOST, None)
    assert truth.is_whole
    assert experiment.structure is not None
    assert np.array_equal(truth.values, experiment.structure.everywhere())
    comparison = compared(experiment, truth, lambda _name, _share: None)
    assert "The truth is the structure of the whole survey image" in comparison.sentence
    assert comparison.best_possible == truth.values.max()
    assert [method.name for method in comparison.methods] == ["dkl", "random", "raster"]


def test_a_structural_run_stands_for_the_microscope_with_its_property(run: Path) -> None:
    recorded = read_file(run)
    assert recorded.only == "com_magnitude"
    assert recorded.data.values.tolist() == recorded.data.positions[:, 0].tolist()  # type: ignore[index]


def test_what_is_shown_of_a_run_is_what_drove_it() -> None:
    shown = looked_for(StructureSettings("fft-nmf"), property_of("com_magnitude"))
    assert (shown.name, shown.unit) == ("unusual structure (fft-nmf)", "")
    assert looked_for(None, property_of("com_magnitude")).unit == "mrad"
    assert RunLabels(shown.name, shown.unit).target == "unusual structure (fft-nmf)"
