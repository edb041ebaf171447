"""A sample as a full 4D set: an HAADF image and a diffraction pattern at every position, in one NumPy archive."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError, RecordError
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.samples import Sample
from dkl_core.stem.scan import ScanFrame
from dkl_core.stem.settings import SampleSettings

A_PER_NM = 10.0
FULL_SCALE = 65535
# Patterns may be this many times brighter than the disc of a probe in vacuum before they are cut.
HEADROOM = 4.0
DISC_MARGIN = 1.05
SCALARS = ("com_y", "com_x", "com_mag", "com_angle", "comdisc_y", "comdisc_x", "abf", "bf", "total")


@dataclass(frozen=True)
class ScanSettings:
    """How a full set is recorded.

    Attributes:
        shape: rows and columns of positions.
        fov_nm: length of the longer side, nm.
        exposure_s: exposure of each pattern, s.
        haadf_pixel_time_s: dwell time of the HAADF image, s.
    """

    shape: tuple[int, int] = (64, 64)
    fov_nm: float = 6.0
    exposure_s: float = 0.01
    haadf_pixel_time_s: float = 64e-6

    def __post_init__(self) -> None:
        if not self.exposure_s > 0:
            raise InputError(f"the exposure is {self.exposure_s:g} s; give a positive number")


def write_4d(
    path: str | Path,
    sample: Sample | SampleSettings,
    *,
    optics: Optics | None = None,
    detector: DetectorSettings | None = None,
    realism: Realism | None = None,
    scan: ScanSettings | None = None,
    seed: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Record a full 4D set and write it row by row, so that a large one needs no memory.

    Time runs as on a microscope: first the HAADF image, then pattern after pattern, the beam blanked in between; drift,
    damage and contamination follow. Without camera defects and noise the patterns are fractions of the beam, stored as
    the square of whole numbers (`patterns_sqrt_scale`); otherwise they are counts as the camera gives them.

    Args:
        path: the archive to write, overwritten if it is there.
        sample: the sample or its settings.
        optics: beam and lens.
        detector: camera; 64 x 64 pixels by default.
        realism: what the microscope adds; by default nothing.
        scan: positions and exposure.
        seed: what all randomness is drawn from.
        progress: called with the number of patterns just written.

    Raises:
        RecordError: the file cannot be written.
    """
    clock = _Clock()
    at = scan or ScanSettings()
    microscope = VirtualMicroscope(
        sample,
        optics=optics,
        detector=detector or DetectorSettings(shape=(64, 64)),
        realism=realism or Realism.ideal(),
        seed=seed,
        clock=clock,
    )
    microscope.blanked = True
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as file:
            _write(file, _Recording(microscope, clock, at), progress)
    except OSError as error:
        raise RecordError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error


@dataclass
class _Clock:
    """The time on the simulated microscope, s."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class _Recording:
    """A microscope that measures position by position and keeps what is not written at once."""

    def __init__(self, microscope: VirtualMicroscope, clock: _Clock, scan: ScanSettings) -> None:
        self.microscope = microscope
        self.scan = scan
        self.frame = ScanFrame(scan.shape, scan.fov_nm, pixel_time_s=scan.haadf_pixel_time_s)
        self.y, self.x = (np.broadcast_to(places, self.frame.size) for places in self.frame.positions_nm())
        realism = microscope.realism
        self.counts = realism.noise.on or realism.camera.on
        self.scalars = {name: np.zeros(self.frame.size, np.float32) for name in SCALARS}
        self._clock = clock
        self._masks = _masks(microscope)

    def haadf(self) -> NDArray[np.float32]:
        """Scan the frame; the fraction of the beam where nothing is added, counts otherwise."""
        self.microscope.blanked = False
        image = self.microscope.scan(self.frame)
        self._clock.now += self.frame.seconds
        self.microscope.blanked = True
        if self.counts or self.microscope.realism.haadf.on:
            return image
        gain = self.microscope.haadf_counts_per_electron
        return image / np.float32(gain * self.microscope.electrons_per_s * self.frame.pixel_time_s)

    def rows(self) -> Iterator[NDArray[np.float32]]:
        """Measure row by row: (columns, detector rows, detector columns), fractions of the beam or counts."""
        for row in range(self.frame.size[0]):
            yield np.stack([self._measured(row, col) for col in range(self.frame.size[1])])

    def _measured(self, row: int, col: int) -> NDArray[np.float32]:
        y, x = float(self.y[row, col]), float(self.x[row, col])
        microscope, begin = self.microscope, self._clock.now
        self._note(row, col, microscope.pattern(y, x, projected=False))
        microscope.place_probe(y, x)
        microscope.blanked = False
        self._clock.now += self.scan.exposure_s
        counts = microscope.expose(self.scan.exposure_s, begin, self._clock.now)
        microscope.blanked = True
        if self.counts:
            return np.asarray(counts, dtype=np.float32)
        electrons = microscope.electrons_per_s * self.scan.exposure_s * microscope.counts_per_electron
        return (counts / np.float32(electrons)).astype(np.float32)

    def _note(self, row: int, col: int, pattern: NDArray[np.float32]) -> None:
        """Keep the true scalars of a pattern that need the pattern itself."""
        abf, bright, disc, y, x = self._masks
        total, inside = float(pattern.sum()), pattern * disc
        com_y, com_x = float((pattern * y).sum()) / total, float((pattern * x).sum()) / total
        caught = float(inside.sum())
        whole = com_y, com_x, math.hypot(com_y, com_x), math.atan2(com_y, com_x)
        of_disc = float((inside * y).sum()) / caught, float((inside * x).sum()) / caught
        fractions = float((pattern * abf).sum()) / total, float((pattern * bright).sum()) / total, total
        for name, value in zip(SCALARS, (*whole, *of_disc, *fractions), strict=True):
            self.scalars[name][row, col] = value


def _masks(microscope: VirtualMicroscope) -> tuple[NDArray[np.float32], ...]:
    """Annular and whole bright field, disc with margin, and the angles (y, x) of each pixel."""
    centre, px = microscope.scatterer.centre_px, microscope.mrad_per_px
    rows, cols = np.indices(microscope.detector.shape, dtype=np.float32)
    y, x = (rows - np.float32(centre[0])) * np.float32(px), (cols - np.float32(centre[1])) * np.float32(px)
    angle, alpha = np.hypot(y, x), microscope.optics.semiangle_mrad
    inner, outer, margin = (
        np.clip((limit - angle) / px + 0.5, 0, 1) for limit in (alpha / 2, alpha, DISC_MARGIN * alpha)
    )
    return outer - inner, outer, margin, y, x


def _write(file: zipfile.ZipFile, recording: _Recording, progress: Callable[[int], object]) -> None:
    microscope = recording.microscope
    truth = _truth(recording)
    _save(file, "haadf", recording.haadf())
    scale = 1.0 if recording.counts else _sqrt_scale(microscope)
    shape = (*recording.frame.size, *microscope.detector.shape)
    with file.open("patterns.npy", "w", force_zip64=True) as member:
        _write_header(member, shape)
        for row in recording.rows():
            whole = np.rint(row if recording.counts else np.sqrt(np.maximum(row, 0)) / scale)
            member.write(np.clip(whole, 0, FULL_SCALE).astype("<u2").tobytes())
            progress(len(row))
    if not recording.counts:
        _save(file, "patterns_sqrt_scale", np.float64(scale))
        _save(file, "patterns_encoding", "value=(q*sqrt_scale)**2")
    for name, value in (truth | recording.scalars | _constants(recording)).items():
        _save(file, name, value)


def _truth(recording: _Recording) -> dict[str, Any]:
    """What the simulation knows, of the sample as it was before the recording."""
    microscope, y, x = recording.microscope, recording.y, recording.x
    maps: dict[str, Any] = {
        "haadf_clean": microscope.truth("haadf", y, x).astype(np.float32),
        "vacuum": microscope.truth("vacuum", y, x).astype(bool),
        "layers": microscope.truth("layers", y, x).astype(np.uint8),
    }
    if microscope.sample.bragg_expected_at(np.zeros(1), np.zeros(1), microscope.optics) is not None:
        maps["bragg_expected"] = microscope.truth("bragg_distance", y, x).astype(np.float32)
    return maps


def _constants(recording: _Recording) -> dict[str, Any]:
    microscope, frame, sample = recording.microscope, recording.frame, recording.microscope.sample
    optics, corner = microscope.optics, sample.field_nm / 2
    first_y, first_x = float(recording.y[0, 0]), float(recording.x[0, 0])
    atoms = (sample.atoms.positions_nm[:, [1, 0, 2]] + (corner, corner, 0)) * A_PER_NM
    constants: dict[str, Any] = {
        "sampling_A": frame.pixel_nm * A_PER_NM,
        "det_mrad": microscope.mrad_per_px,
        "energy_eV": optics.energy_ev,
        "convergence_mrad": optics.semiangle_mrad,
        "defocus_A": optics.defocus_nm * A_PER_NM,
        "wavelength_A": optics.wavelength_nm * A_PER_NM,
        "haadf_mrad": np.array([80, 200]),
        "x0_A": (first_x + corner) * A_PER_NM,
        "y0_A": (first_y + corner) * A_PER_NM,
        "atoms_xyz": atoms.astype(np.float32),
        "atoms_Z": sample.atoms.numbers.astype(np.uint8),
        "electrons": microscope.electrons_per_s * recording.scan.exposure_s,
        "meta": json.dumps(_meta(recording)),
    }
    # With descan or a wrong centre no place of the camera is the centre of all patterns.
    if not microscope.realism.projection.on:
        constants["centre_px"] = microscope.scatterer.centre_px[0]
    if recording.counts:
        constants |= _of_camera(microscope)
    return constants


def _of_camera(microscope: VirtualMicroscope) -> dict[str, Any]:
    """What turns counts back into electrons."""
    defects = microscope.realism.camera
    return {
        "counts_per_electron": microscope.counts_per_electron,
        "offset_counts": defects.offset_counts if defects.on else 0.0,
        "gain": microscope.camera.gain,
        "bad_px": np.argwhere(microscope.camera.bad),
    }


def _meta(recording: _Recording) -> dict[str, Any]:
    microscope = recording.microscope
    settings = microscope.sample.settings
    return {
        "sample": None if settings is None else settings.to_json(),
        "optics": asdict(microscope.optics),
        "realism": microscope.realism.to_json(),
        "scan": asdict(recording.scan),
        "seed": microscope.seed,
        "damage_events": len(microscope.events),
    }


def _sqrt_scale(microscope: VirtualMicroscope) -> float:
    alpha_px = microscope.optics.semiangle_mrad / microscope.mrad_per_px
    return math.sqrt(HEADROOM / (math.pi * alpha_px**2)) / FULL_SCALE


def _write_header(member: IO[bytes], shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(member, {"descr": "<u2", "fortran_order": False, "shape": shape})


def _save(file: zipfile.ZipFile, name: str, value: Any) -> None:
    with file.open(f"{name}.npy", "w") as member:
        np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
