"""Figures of a run, of a comparison of methods and of an evaluation; matplotlib is imported when one is drawn."""

from dkl_core.report.comparison import baseline_figure, evaluation_figure
from dkl_core.report.data import Direction, EvaluationFigureData, MethodRuns, RunFigureData, RunLabels, best_so_far
from dkl_core.report.run import run_figure, summary
from dkl_core.report.save import save_figure

__all__ = [
    "Direction",
    "EvaluationFigureData",
    "MethodRuns",
    "RunFigureData",
    "RunLabels",
    "baseline_figure",
    "best_so_far",
    "evaluation_figure",
    "run_figure",
    "save_figure",
    "summary",
]
