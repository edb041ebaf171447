"""What the beam meets under one setup of the microscope: the sample's physics, camera and annular detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dkl_core.stem.beampath import BeamPath
from dkl_core.stem.contamination import Contamination
from dkl_core.stem.damage import CARBON, DamageEvent
from dkl_core.stem.detectors import Camera, DetectorSettings, PatternArray, Projection
from dkl_core.stem.drift import Flicker
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.scan import ImageArray, ScanFrame, haadf_counts
from dkl_core.stem.specimen import Scatters, Specimen
from dkl_core.stem.timeline import Stay, Timeline
from dkl_core.survey import FloatArray

Pair = tuple[float, float]
# Places that stand for a scanning beam during one exposure.
SWEEP_PLACES = 5


@dataclass(frozen=True)
class Setup:
    """What the user has set.

    Attributes:
        optics: beam energy and probe-forming lens.
        detector: the camera.
        realism: what the microscope adds to the physics.
    """

    optics: Optics
    detector: DetectorSettings
    realism: Realism


class Bench:
    """Turns what the beam did into what the detectors expect and read.

    Args:
        setup: what is set.
        scatterer: the physics of the sample under this setup.
        contamination: the deposit on the sample.
        timeline: what the beam did.
        seed: what gain pattern, bad pixels and flicker are drawn from.
    """

    def __init__(
        self, setup: Setup, scatterer: Scatters, contamination: Contamination, timeline: Timeline, seed: int
    ) -> None:
        realism, detector = setup.realism, setup.detector
        self.setup = setup
        self.scatterer = scatterer
        self.camera = Camera(detector, realism.camera, realism.noise.on, seed)
        self.projection = Projection(realism.projection, detector.shape, scatterer.mrad_per_px, scatterer.centre_px)
        self.specimen = Specimen(scatterer, realism.source, contamination, detector.shape, setup.optics.semiangle_mrad)
        self._timeline = timeline
        self._flicker = Flicker(realism.noise, seed)

    def follow(self, events: Sequence[DamageEvent]) -> None:
        """The structure changed."""
        for event in events:
            _apply(self.scatterer, event)
        self.specimen.changed()

    def electrons(self, path: BeamPath, per_s: float, begin: float, end: float) -> PatternArray:
        """Expected electrons on each pixel of the camera between two times.

        Args:
            path: where the beam goes on the sample.
            per_s: mean current while the camera counts, electrons per s.
            begin: first moment, s.
            end: last moment, s.
        """
        total: PatternArray | None = None
        for stay in self._timeline.stays(begin, end):
            middle = (stay.begin + stay.end) / 2 - self._timeline.begin
            current = per_s * float(self._flicker.at(middle))
            for weight, place, at in _places(stay):
                pattern = self.projection(self.specimen.pattern(*path.parked(place, at)), *place)
                part = pattern * np.float32(current * stay.seconds * weight)
                total = part if total is None else np.add(total, part, out=total)
        return np.zeros(self.setup.detector.shape, dtype=np.float32) if total is None else total

    def image(
        self, path: BeamPath, per_s: float, frame: ScanFrame, begin: float, rng: np.random.Generator
    ) -> ImageArray:
        """What the annular detector reads during a scan (rows, columns), counts.

        Args:
            path: where the beam goes on the sample.
            per_s: mean current, electrons per s.
            frame: what is scanned.
            begin: when the scan began, s.
            rng: where jitter and noise come from.
        """
        y, x = path.pixels(frame, begin, rng)
        lines: FloatArray = begin + frame.line_s * (np.arange(frame.size[0], dtype=np.float64) + 0.5)
        electrons = self._timeline.lit_at(lines) * self._flicker.at(lines - self._timeline.begin)
        electrons *= per_s * frame.pixel_time_s
        expected = self.specimen.haadf(y, x) * electrons.astype(np.float32)[:, None]
        realism, gain = self.setup.realism, self.setup.detector.haadf_counts_per_electron
        return haadf_counts(expected, gain, realism.haadf, realism.noise.on, rng)


def _apply(scatterer: Scatters, event: DamageEvent) -> None:
    if event.partner is None:
        scatterer.remove_atom(event.atom)
    else:
        scatterer.replace_atom(event.atom, CARBON)
        scatterer.replace_atom(event.partner, event.element)


def _places(stay: Stay) -> list[tuple[float, Pair, float]]:
    """Places (weight, scan coordinates, time) that stand for a stretch of time."""
    middle = (stay.begin + stay.end) / 2
    if stay.sweep is None:
        return [(1.0, stay.place_nm or (0.0, 0.0), middle)]
    times = stay.begin + (np.arange(SWEEP_PLACES) + 0.5) / SWEEP_PLACES * stay.seconds
    places: dict[Pair, list[float]] = {}
    for moment in times.tolist():
        places.setdefault(stay.sweep.place_at(moment), []).append(moment)
    return [(len(at) / SWEEP_PLACES, place, at[0]) for place, at in places.items()]
