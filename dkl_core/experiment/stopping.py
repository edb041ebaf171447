"""When an experiment has nothing left to ask."""

from __future__ import annotations

import math

from dkl_core.experiment.log import SiteLog
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.surrogate.prediction import Prediction


def reason_to_end(log: SiteLog, settings: ExperimentSettings) -> str | None:
    """Why no site can be asked for any more: the budget, or the sites; None if one can."""
    if len(log.told) >= settings.stop.budget:
        return f"the budget of {settings.stop.budget} measurements is used up{_all_failed(log)}"
    if not log.pending and not log.open_mask().any():
        return f"every site is measured or excluded{_all_failed(log)}"
    return None


def reason_to_be_content(log: SiteLog, settings: ExperimentSettings, prediction: Prediction | None) -> str | None:
    """Why more measurements would not pay, by the stop rules; None if they do.

    Args:
        log: what is measured.
        settings: stop rules, goal and seeds.
        prediction: the model's, None before the first refit.
    """
    rules = settings.stop
    waited = min(log.since_best(settings.goal), log.valid_count - settings.seeds.count)
    if rules.patience is not None and waited >= rules.patience:
        return f"no better measurement among the last {waited}"
    if rules.uncertainty is not None and _residual_uncertainty(log, prediction) < rules.uncertainty:
        return f"no open site is more uncertain than {rules.uncertainty:g} of the measured spread"
    return None


def _all_failed(log: SiteLog) -> str:
    if not log.told or log.valid_count:
        return ""
    return f"; all {len(log.told)} measurements failed, the last because: {log.told[-1].measurement.reason}"


def _residual_uncertainty(log: SiteLog, prediction: Prediction | None) -> float:
    is_open = log.open_mask()
    spread = float(log.values.std())
    if prediction is None or not is_open.any() or spread == 0:
        return math.inf
    return float(prediction.std[is_open].max()) / spread
