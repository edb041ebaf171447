"""From an experiment to its figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, ConstantBeta
from dkl_core.experiment import Experiment
from dkl_core.frame import Frame
from dkl_core.report import RunFigureData, RunLabels, run_figure, save_figure


def figure_of(
    experiment: Experiment,
    target: str,
    path: str,
    *,
    unit: str = "",
    title: str = "",
    hits: NDArray[np.bool_] | None = None,
    next_frame: Frame | None = None,
) -> None:
    """Draw an experiment as it stands and save the figure.

    Args:
        experiment: the experiment.
        target: name of the scalar.
        path: file to write; its suffix decides on the format.
        unit: unit of the scalar.
        title: heading.
        hits: whether each measurement counts as a hit (n,), None where the truth is not known.
        next_frame: the piece of the survey image that is zoomed into.
    """
    data = figure_data(experiment, RunLabels(target=target, unit=unit, title=title), hits)
    save_figure(run_figure(replace(data, next_frame=next_frame)), path)


def figure_data(experiment: Experiment, labels: RunLabels, hits: NDArray[np.bool_] | None = None) -> RunFigureData:
    """What the figure of an experiment is drawn from."""
    told, sites, settings = experiment.told, experiment.sites.positions.astype(float), experiment.settings
    visited = np.array([(entry.site.row, entry.site.col) for entry in told], dtype=float).reshape(-1, 2)
    prediction = experiment.predict()
    acquisition = experiment.acquisition_map()
    if acquisition is not None:
        acquisition = acquisition.copy()
        acquisition[[entry.site.index for entry in told]] = np.nan
        acquisition[sorted(experiment.excluded)] = np.nan
    goal = settings.goal
    pending = experiment.pending
    return RunFigureData(
        survey=experiment.survey,
        site_positions=sites,
        visited_positions=visited,
        values=np.array([entry.measurement.scalar.value for entry in told]),
        ok=np.array([entry.measurement.ok for entry in told], dtype=bool),
        predicted_mean=np.array([entry.predicted_mean for entry in told]),
        predicted_std=np.array([entry.predicted_std for entry in told]),
        seeds=min(settings.seeds.count, len(told)),
        mean=None if prediction is None else prediction.mean,
        std=None if prediction is None else prediction.std,
        acquisition=acquisition,
        next_position=(float(pending[0].row), float(pending[0].col)) if pending else None,
        direction="reach" if goal.direction == "target" else goal.direction,
        goal_value=goal.value,
        hits=hits,
        structure_share=experiment.telling_share,
        labels=RunLabels(
            labels.target, labels.unit, labels.title, labels.goal, acquisition_words(settings.acquisition)
        ),
    )


def acquisition_words(settings: AcquisitionSettings) -> str:
    """The acquisition function as a reader of the figure should find it."""
    beta = settings.beta
    match settings.name:
        case "ucb" if isinstance(beta, AnnealedBeta):
            return f"UCB, β = {beta.start:g}·{beta.decay:g}^(n−{beta.offset}), at least {beta.floor:g}"
        case "ucb" if isinstance(beta, ConstantBeta):
            return f"UCB, β = {beta.value:g}"
        case "ei" | "pi":
            return f"{settings.name.upper()}, ξ = {settings.xi:g}"
    return "Thompson sample" if settings.name == "thompson" else settings.name
