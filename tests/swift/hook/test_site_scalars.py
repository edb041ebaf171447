"""From patterns to scalars: the reference is not looked for at each site, and is right in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dkl_core.experiment.journal import Told
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.scalarizers import DeflectionX, Pattern, Reading, field_scalarizer
from dkl_core.scalarizers.pattern import BoolArray, FloatArray
from dkl_core.scalarizers.reading import Judge
from dkl_core.scalarizers.registry import as_scalarizer
from nionswift_plugin.dkl.acquisition.scalars import SiteScalars


@dataclass(frozen=True, kw_only=True)
class Counted(DeflectionX):
    """Counts how often the reference is looked for; its readings are given."""

    looks: list[int]

    def reading(self, pattern: Pattern) -> Reading:
        at = float(pattern.values[0, 0])
        return Reading((0.0, at, 0.0, 0.0, np.nan, np.nan, 30.0), (1e-8, 1e-8), electrons=1.0)

    def judge(self, readings: list[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None) -> Judge:  # type: ignore[override]
        self.looks.append(len(readings))
        return super().judge(readings, positions_nm, vacuum)


def measured(scalars: SiteScalars, count: int) -> list[Told]:
    rng, told = np.random.default_rng(0), list[Told]()
    for number in range(count):
        place = tuple(rng.uniform(-5, 5, 2).tolist())
        result = scalars.of([Pattern(np.full((4, 4), rng.normal(0.3, 0.1)), 1.0)], place)
        assert result.reading is not None
        details = {"reading": result.reading.to_json(), "position_nm": list(place)}
        told.append(Told(Site(number, 0, 0), Measurement(result.scalar, None, 0.0, None, details)))
        for which, scalar in scalars.revisions(told).items():
            told[which] = replace(told[which], measurement=replace(told[which].measurement, scalar=scalar))
    return told


def exact(told: list[Told]) -> list[Scalar]:
    field = field_scalarizer(as_scalarizer(DeflectionX(), name="com_x"))
    assert field is not None
    details: list[Mapping[str, Any]] = [one.measurement.details for one in told]
    readings = [Reading.from_json(one["reading"]) for one in details]
    return field.scalars(readings, np.array([one["position_nm"] for one in details]))


def test_the_reference_is_looked_for_as_the_run_grows_not_at_each_site() -> None:
    looks: list[int] = []
    measured(SiteScalars(as_scalarizer(Counted(looks=looks), name="counted")), 200)
    late = [count for count in looks if count > 100]
    # twice for each growth by a twentieth: for the new scalar and for the revision of all
    assert len(late) <= 2 * 15


def test_what_is_told_and_revised_is_relative_to_the_reference_of_the_whole_run() -> None:
    scalars = SiteScalars(as_scalarizer(Counted(looks=[]), name="counted"))
    told = measured(scalars, 60)
    revised = SiteScalars(as_scalarizer(Counted(looks=[]), name="counted")).revisions(told)
    values = [revised.get(which, one.measurement.scalar).value for which, one in enumerate(told)]
    np.testing.assert_allclose(values, [one.value for one in exact(told)], atol=2e-5)
