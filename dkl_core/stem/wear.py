"""What the beam leaves on the sample: dose, damage and deposit, kept up to date with the history of the beam."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dkl_core.stem.beampath import BeamPath
from dkl_core.stem.contamination import Contamination
from dkl_core.stem.damage import BondedAtoms, Damage, DamageEvent
from dkl_core.stem.fieldmap import FieldMap
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism, SourceSettings
from dkl_core.stem.samples import Sample
from dkl_core.stem.timeline import Stay, Sweep, Timeline

ELECTRONS_PER_PA_S = 1e-12 / 1.602176634e-19
# A parked beam walks over the drifting sample; this long it is taken to stand.
LONGEST_STAY_S = 5.0
MOST_PIECES = 100
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True)
class Beam:
    """The beam that hits the sample.

    Attributes:
        path: where it goes.
        current_pa: mean current, pA.
        sigma_nm: standard deviation of the probe's intensity on the sample, nm.
    """

    path: BeamPath
    current_pa: float
    sigma_nm: float


def probe_sigma_nm(optics: Optics, source: SourceSettings) -> float:
    """Size of the probe on the sample (standard deviation, nm): diffraction, aberrations and source in quadrature."""
    diffraction = 0.61 * optics.wavelength_nm / (optics.semiangle_mrad * 1e-3) / FWHM_PER_SIGMA
    return math.hypot(diffraction, optics.blur_nm() / 2, source.sigma_nm if source.on else 0.0)


class Wear:
    """Dose, damage and contamination of one sample.

    Args:
        sample: the sample.
        timeline: what the beam did.
        realism: how damage and contamination go on.
        beam: the present beam.
        apply: called with each damage event, for the physics to follow.
        seed: what damage is drawn from.

    Attributes:
        beam: the present beam; may be set.
        dose_map: electrons per nm^2 over the sample.
        contamination: the deposit.
        electrons: electrons that hit the sample.
    """

    def __init__(
        self,
        sample: Sample,
        timeline: Timeline,
        realism: Realism,
        beam: Beam,
        apply: Callable[[DamageEvent], None],
        seed: int,
    ) -> None:
        self.beam = beam
        self.dose_map = FieldMap(sample.field_nm * 1.2, max(0.05, sample.field_nm / 1000))
        self.contamination = Contamination(realism.contamination, sample.field_nm)
        self.electrons = 0.0
        self._sample = sample
        self._timeline = timeline
        self._realism = realism
        self._apply = apply
        self._rng = np.random.default_rng([seed, 31])
        self._damage: Damage | None = None
        self._until = timeline.begin

    @property
    def events(self) -> tuple[DamageEvent, ...]:
        """What happened to the structure, in order."""
        return () if self._damage is None else tuple(self._damage.events)

    def set_realism(self, realism: Realism) -> None:
        """Go on under other settings; what has happened stays."""
        self._realism = realism
        self.contamination.settings = realism.contamination
        if self._damage is not None:
            self._damage.set_table(realism.damage)

    def advance(self, time: float) -> None:
        """Account for everything that the beam did up to a time, s."""
        if time <= self._until:
            return
        for stay in self._timeline.stays(self._until, time):
            if stay.sweep is not None:
                self._swept(stay, stay.sweep)
            elif stay.place_nm is not None:
                self._parked(stay, stay.place_nm)
        self.contamination.rest(time - self._until)
        self._until = time

    def _parked(self, stay: Stay, place_nm: tuple[float, float]) -> None:
        pieces = min(MOST_PIECES, math.ceil(stay.seconds / LONGEST_STAY_S))
        seconds = stay.seconds / pieces
        for piece in range(pieces):
            time = stay.begin + (piece + 0.5) * seconds
            y, x = self.beam.path.parked(place_nm, time)
            electrons = self.beam.current_pa * seconds * ELECTRONS_PER_PA_S
            self.electrons += electrons
            self.dose_map.add_spot(y, x, self.beam.sigma_nm, electrons)
            self.contamination.park(y, x, seconds, self.beam.current_pa)
            if self._realism.damage.on:
                self._ready().spot(y, x, self.beam.sigma_nm, electrons, time)

    def _swept(self, stay: Stay, sweep: Sweep) -> None:
        frame = sweep.frame
        lines = (stay.begin - sweep.begin) / frame.line_s, (stay.end - sweep.begin) / frame.line_s
        moved = self.beam.path.moved_nm((stay.begin + stay.end) / 2)
        per_px = self.beam.current_pa * frame.pixel_time_s * ELECTRONS_PER_PA_S
        self.electrons += self.beam.current_pa * stay.seconds * ELECTRONS_PER_PA_S
        self.dose_map.add_frame(frame, moved, *lines, per_px / frame.pixel_nm**2)
        if self._realism.damage.on:
            self._ready().lines(frame, moved, lines, self.beam.sigma_nm, per_px, stay.end)

    def _ready(self) -> Damage:
        if self._damage is None:
            atoms = BondedAtoms(self._sample.atoms.positions_nm, self._sample.atoms.numbers)
            self._damage = Damage(self._realism.damage, atoms, self._apply, self._rng)
        return self._damage
