"""The virtual microscope: one beam on one sample, with a scan, a camera and everything that goes wrong between them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import InputError
from dkl_core.stem.beampath import BeamPath
from dkl_core.stem.bench import Bench, Setup
from dkl_core.stem.damage import DamageEvent
from dkl_core.stem.detectors import Camera, CountArray, DetectorSettings, PatternArray
from dkl_core.stem.drift import Drift
from dkl_core.stem.fieldmap import FieldMap
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.samples import Sample, build_sample
from dkl_core.stem.scan import ImageArray, ScanFrame
from dkl_core.stem.settings import SampleSettings
from dkl_core.stem.specimen import MakeScatterer, Scatters, made_scatterer
from dkl_core.stem.timeline import Timeline
from dkl_core.stem.truth import truth_of
from dkl_core.stem.wear import ELECTRONS_PER_PA_S, Beam, Wear, probe_sigma_nm
from dkl_core.survey import FloatArray

Pair = tuple[float, float]
A2_PER_NM2 = 100.0


class VirtualMicroscope:
    """A scanning transmission electron microscope over simulated physics, safe to use from several threads.

    Times are those of its clock, s. Positions are (y, x) in nm: *scan coordinates* are what is asked of the scan coils,
    *sample coordinates* are where the beam then is on the sample, after distortion and drift. Nothing waits here: the
    devices in front of it do.

    Args:
        sample: the sample, or the settings to build it from.
        optics: beam energy and probe-forming lens.
        detector: the camera.
        realism: what the microscope adds to the physics.
        seed: what all randomness is drawn from; the same calls at the same times then give the same counts.
        clock: tells the time, s.
        make_scatterer: makes the physics of a sample.
    """

    def __init__(
        self,
        sample: Sample | SampleSettings,
        *,
        optics: Optics | None = None,
        detector: DetectorSettings | None = None,
        realism: Realism | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
        make_scatterer: MakeScatterer = made_scatterer,
    ) -> None:
        if seed < 0:
            raise InputError(f"the seed is {seed}; give 0 or a positive whole number")
        self.sample = build_sample(sample) if isinstance(sample, SampleSettings) else sample
        self.seed = seed
        self.clock = clock
        # Whoever takes both takes the first one first; only the second is needed to expose and to scan.
        self._building = threading.RLock()
        self._lock = threading.RLock()
        setup = Setup(optics or Optics(), detector or DetectorSettings(), realism or Realism.realistic())
        self._current_pa = setup.realism.current_pa
        self._make_scatterer = make_scatterer
        self._rng = np.random.default_rng([seed, 1])
        # Takes a while, in which no beam shall be on the sample yet.
        scatterer = self._scattering(setup)
        self._timeline = Timeline(clock())
        self._wear = Wear(self.sample, self._timeline, setup.realism, self._beam(setup), self._follow, seed)
        self._bench = self._made(setup, scatterer)

    # --- settings

    @property
    def optics(self) -> Optics:
        """Beam energy and lens; setting them rebuilds the physics of the present structure."""
        return self._bench.setup.optics

    @optics.setter
    def optics(self, optics: Optics) -> None:
        with self._building:
            self._rebuild(replace(self._bench.setup, optics=optics))

    @property
    def detector(self) -> DetectorSettings:
        """The camera; setting it rebuilds the physics of the present structure."""
        return self._bench.setup.detector

    @detector.setter
    def detector(self, detector: DetectorSettings) -> None:
        with self._building:
            self._rebuild(replace(self._bench.setup, detector=detector))

    @property
    def realism(self) -> Realism:
        """What the microscope adds; dose, deposit and damage of the sample stay when it is set."""
        return self._bench.setup.realism

    @realism.setter
    def realism(self, realism: Realism) -> None:
        with self._building:
            before = self._bench.setup.realism
            self._rebuild(replace(self._bench.setup, realism=realism), anew=realism.source != before.source)
            if realism.current_pa != before.current_pa:
                self.current_pa = realism.current_pa

    @property
    def current_pa(self) -> float:
        """Mean beam current, pA; may be set."""
        return self._current_pa

    @current_pa.setter
    def current_pa(self, current_pa: float) -> None:
        if not (math.isfinite(current_pa) and current_pa >= 0):
            raise InputError(f"the beam current is {current_pa:g} pA; give 0 or a positive number")
        with self._lock:
            self._wear.advance(self.clock())
            self._current_pa = float(current_pa)
            self._wear.beam = self._beam(self._bench.setup)

    @property
    def electrons_per_s(self) -> float:
        """Mean beam current in electrons per s."""
        return self._current_pa * ELECTRONS_PER_PA_S

    @property
    def scatterer(self) -> Scatters:
        """The physics of the present structure."""
        return self._bench.scatterer

    @property
    def camera(self) -> Camera:
        """The camera with its gain pattern and bad pixels."""
        return self._bench.camera

    @property
    def mrad_per_px(self) -> float:
        """Angle of a pixel of the camera, mrad."""
        return self._bench.scatterer.mrad_per_px

    @property
    def counts_per_electron(self) -> float:
        """Gain of the camera."""
        return self.detector.counts_per_electron

    @property
    def haadf_counts_per_electron(self) -> float:
        """Gain of the annular detector."""
        return self.detector.haadf_counts_per_electron

    # --- the beam

    @property
    def blanked(self) -> bool:
        """Whether the beam is blanked; setting it takes effect at this moment."""
        return self._timeline.blanked

    @blanked.setter
    def blanked(self, blanked: bool) -> None:
        self.blank(blanked)

    def blank(self, blanked: bool = True, at: float | None = None) -> None:
        """Blank the beam or let it through, at a time (s) or now."""
        self._timeline.blank(self._time(at), blanked)

    @property
    def probe_nm(self) -> Pair:
        """Where the probe is parked when no scan runs, scan coordinates (y, x), nm."""
        return self._timeline.place_nm

    def place_probe(self, y_nm: float, x_nm: float, at: float | None = None) -> None:
        """Park the probe at scan coordinates (y, x), at a time (s) or now."""
        if not (math.isfinite(y_nm) and math.isfinite(x_nm)):
            raise InputError(f"the probe cannot be put at ({y_nm}, {x_nm}) nm; give two finite numbers")
        self._timeline.place(self._time(at), (float(y_nm), float(x_nm)))

    def begin_scan(self, frame: ScanFrame, begin: float | None = None) -> None:
        """The beam begins to scan, for exposures to see it; `scan` with the same begin gives the image."""
        self._timeline.begin_scan(frame, self._time(begin))

    def stop_scan(self, at: float | None = None) -> None:
        """The running scan, if any, is broken off at a time (s) or now, and the probe is parked again."""
        self._timeline.end_scan(self._time(at))

    # --- detectors

    def expose(self, exposure_s: float, begin: float, end: float) -> CountArray:
        """A camera frame of what the beam did between two times.

        Args:
            exposure_s: how long the camera counts, s; a blanked half of the interval halves the electrons.
            begin: when the exposure began, s.
            end: when it ended, s.

        Returns:
            (rows, columns) uint16 counts; float32 if the camera's defects are switched off.
        """
        if not (exposure_s >= 0 and end >= begin):
            raise InputError(
                f"the exposure is {exposure_s:g} s from {begin:g} to {end:g} s; give a time that is not negative"
            )
        with self._lock:
            # What this exposure does to the sample is accounted for with what comes before the next.
            self._wear.advance(begin)
            share = exposure_s / (end - begin) if end > begin else 0.0
            electrons = self._bench.electrons(self._wear.beam.path, self.electrons_per_s * share, begin, end)
            return self._bench.camera.counts(electrons, self._rng)

    def dark_counts(self) -> CountArray:
        """A camera frame without beam (rows, columns)."""
        with self._lock:
            return self._bench.camera.counts(np.zeros(self.detector.shape, dtype=np.float32), self._rng)

    def pattern(self, y_nm: float, x_nm: float, projected: bool = True) -> PatternArray:
        """The noise-free pattern at scan coordinates (y, x) without drift.

        Args:
            y_nm: place, nm.
            x_nm: place, nm.
            projected: as it falls on the camera; False leaves it centred and along the scan's axes.

        Returns:
            Fraction of the beam per pixel (rows, columns).
        """
        with self._lock:
            y, x = self._settled().beam.path.still(y_nm, x_nm)
            pattern = self._bench.specimen.pattern(float(y), float(x))
            return self._bench.projection(pattern, y_nm, x_nm) if projected else pattern

    def scan(self, frame: ScanFrame, begin: float | None = None, end: float | None = None) -> ImageArray:
        """A HAADF image.

        Args:
            frame: what is scanned.
            begin: when the scan began or begins, s; now if None.
            end: when it was broken off, s; lines after it are 0.

        Returns:
            float32 counts of shape `frame.size`; dark where the beam was blanked.
        """
        with self._lock:
            began = self._time(begin)
            sweep = self._timeline.begin_scan(frame, began)
            if end is not None:
                self._timeline.end_scan(end)
            self._wear.advance(began)
            image = self._bench.image(self._wear.beam.path, self.electrons_per_s, frame, began, self._rng)
            last = sweep.end if end is None else min(end, sweep.end)
            image[max(0, math.ceil((last - began) / frame.line_s - 1e-6)) :] = 0
            self._wear.advance(last)
            return image

    # --- what only a simulation knows

    def truth(self, kind: str, y_nm: ArrayLike, x_nm: ArrayLike) -> FloatArray:
        """The true scalar of the present structure at scan coordinates, free of noise, jitter and drift.

        Args:
            kind: see `dkl_core.stem.truth.TRUTH_KINDS`.
            y_nm: places (...), nm.
            x_nm: places, same shape.

        Returns:
            (...) values, deflections in mrad along the scan's axes.

        Raises:
            InputError: there is no such truth.
        """
        places = np.broadcast_arrays(np.asarray(y_nm, dtype=np.float64), np.asarray(x_nm, dtype=np.float64))
        with self._lock:
            y, x = self._settled().beam.path.still(places[0], places[1])
            return truth_of(kind, self._bench.specimen, self.sample, self.optics, y, x)

    def sample_nm(self, y_nm: float, x_nm: float, time: float) -> Pair:
        """Where on the sample a parked beam stands at a time (s), of scan coordinates (y, x)."""
        return self._wear.beam.path.parked((y_nm, x_nm), time)

    def drift_nm(self, time: float | None = None) -> Pair:
        """How far the sample has moved (y, x) at a time (s) or now, nm."""
        moved = self._wear.beam.path.moved_nm(self._time(time))
        return float(moved[0]), float(moved[1])

    @property
    def electrons(self) -> float:
        """Electrons that hit the sample up to now."""
        return self._settled().electrons

    @property
    def events(self) -> tuple[DamageEvent, ...]:
        """What the beam did to the structure up to now, in order."""
        return self._settled().events

    @property
    def dose_map(self) -> FieldMap:
        """Electrons per nm^2 over the sample up to now."""
        return self._settled().dose_map

    def dose_e_per_A2_at(self, y_nm: ArrayLike, x_nm: ArrayLike) -> FloatArray:  # noqa: N802 - the unit is Å
        """Dose up to now at sample coordinates (...), electrons per Å^2."""
        y, x = np.asarray(y_nm, dtype=np.float64), np.asarray(x_nm, dtype=np.float64)
        return self._settled().dose_map.at(y, x).astype(np.float64) / A2_PER_NM2

    # --- inside

    def _time(self, time: float | None) -> float:
        return self.clock() if time is None else time

    def _settled(self) -> Wear:
        with self._lock:
            self._wear.advance(self.clock())
        return self._wear

    def _beam(self, setup: Setup) -> Beam:
        path = BeamPath(setup.realism.scan, Drift(setup.realism.drift, self.seed), self._timeline.begin)
        return Beam(path, self._current_pa, probe_sigma_nm(setup.optics, setup.realism.source))

    def _follow(self, event: DamageEvent) -> None:
        self._bench.follow([event])

    def _scattering(self, setup: Setup) -> Scatters:
        return self._make_scatterer(self.sample, setup.optics, setup.detector, setup.realism.source)

    def _made(self, setup: Setup, scatterer: Scatters) -> Bench:
        return Bench(setup, scatterer, self._wear.contamination, self._timeline, self.seed)

    def _rebuild(self, setup: Setup, anew: bool = True) -> None:
        """Work under another setup; what takes long is made while the microscope goes on under the present one."""
        known = self._wear.events
        bench = self._made(setup, self._scattering(setup) if anew else self._bench.scatterer)
        if anew:
            bench.follow(known)
        with self._lock:
            self._wear.advance(self.clock())
            if anew:
                bench.follow(self._wear.events[len(known) :])
            self._bench = bench
            self._wear.set_realism(setup.realism)
            self._wear.beam = self._beam(setup)
