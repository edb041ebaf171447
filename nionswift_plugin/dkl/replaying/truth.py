"""What is known of all the sites of a run: all of it, of a recorded set or a simulation, or what was measured alone."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment import Experiment
from dkl_core.replay.sources import given_to_scalarizer, guarded_scalar, source_of, value_or_nan
from dkl_core.scalarizers.blocks import block_of
from dkl_core.scalarizers.reading import field_scalarizer
from dkl_core.scalarizers.registry import NamedScalarizer
from dkl_core.survey import FloatArray
from nionswift_plugin.dkl.plan import scalarizer_of
from nionswift_plugin.dkl.replaying.sets import RecordedSet
from nionswift_plugin.dkl.training.simulation import microscope_of, sites_nm, truth_at

_ = gettext.gettext


@dataclass(frozen=True, eq=False)
class Truth:
    """The values of the sites.

    Attributes:
        values: (M,), NaN where nobody knows.
        is_whole: whether the sites that were not measured are known too.
        words: where it comes from.
    """

    values: FloatArray
    is_whole: bool
    words: str


def truth_of(experiment: Experiment, host: Mapping[str, Any], recorded: RecordedSet | None) -> Truth:
    """What is known of the sites of a run.

    Args:
        experiment: the run.
        host: what its file keeps.
        recorded: the data that it replayed, None where there are none any more.

    Raises:
        DKLError: the recorded data do not fit the run.
    """
    if experiment.structure is not None and experiment.structure.is_known:
        return Truth(experiment.structure.everywhere(), True, _("the structure of the whole survey image"))
    if recorded is not None and recorded.data.survey.shape == experiment.survey.shape:
        values = values_at(recorded, scalarizer_of(host), experiment.sites.positions)
        return Truth(values, True, _("all that {title} holds").format(title=recorded.title))
    microscope = microscope_of(host)
    if microscope is not None:
        known = truth_at(microscope, str(host.get("target")), sites_nm(experiment))
        if known is not None:
            return Truth(known, True, _("what the simulated microscope knows"))
    values = np.full(len(experiment.sites), np.nan)
    for told in experiment.told:
        if told.measurement.ok:
            values[told.site.index] = told.measurement.scalar.value
    return Truth(values, False, _("the measured sites alone"))


def values_at(recorded: RecordedSet, scalarizer: NamedScalarizer, places: NDArray[np.int64]) -> FloatArray:
    """The scalars of a recorded set at places (M, 2), pixels of its survey image; (M,), NaN where there is none.

    A scalar that needs a reference gets that of all these places.
    """
    data = recorded.data
    if recorded.only is not None or block_of(scalarizer) is not None:
        source = source_of(data, None if recorded.only is not None else scalarizer)
        return np.array([source.value(int(row), int(col)) for row, col in places])
    recorded.require(scalarizer.name)
    raw = data.raw
    assert raw is not None
    field = field_scalarizer(scalarizer)
    if field is None:
        given = (given_to_scalarizer(raw.at((int(row), int(col))), raw) for row, col in places)
        return np.array([value_or_nan(guarded_scalar(scalarizer, one)) for one in given])
    readings = [field.reading(raw.pattern((int(row), int(col)))) for row, col in places]
    where = places.astype(np.float64) if data.survey.pixel_nm is None else data.survey.to_nm(places)
    return np.array([value_or_nan(scalar) for scalar in field.scalars(readings, where)])
