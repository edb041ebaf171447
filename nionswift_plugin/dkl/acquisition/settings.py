"""What the user sets for the acquisition, and its form as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from dkl_core.errors import InputError
from dkl_core.settings_json import made

SurveySource = Literal["scan", "last"]
PatternMode = Literal["record", "sequence", "live"]
ReferenceKind = Literal["subscan", "frame"]
Pair = tuple[float, float]


@dataclass(frozen=True)
class SurveySettings:
    """The survey frame; None keeps what is set in Swift.

    Attributes:
        source: `scan` records a frame, `last` takes the last one that is in Swift, without dose.
        size_px: rows, and columns: the frame is square.
        fov_nm: height and width of the frame, nm.
        pixel_time_us: dwell time, us.
        rotation_deg: scan rotation, degrees.
        channel: index of the scan's channel (0 is the HAADF detector on most instruments).
    """

    source: SurveySource = "scan"
    size_px: int | None = None
    fov_nm: float | None = None
    pixel_time_us: float | None = None
    rotation_deg: float | None = None
    channel: int = 0

    def __post_init__(self) -> None:
        _choice("source", self.source, get_args(SurveySource))
        _positive(size_px=self.size_px, fov_nm=self.fov_nm, pixel_time_us=self.pixel_time_us)
        _not_negative(channel=self.channel)


@dataclass(frozen=True)
class PatternSettings:
    """How a diffraction pattern is taken.

    Attributes:
        exposure_ms: exposure, ms.
        binning: binning of the camera, None as it is set in Swift.
        mode: `record` (one frame that begins after the call; the default), `sequence` (faster: no frame goes through
            Swift's documents) or `live` (a view that plays on, of which the second frame from now is taken; for
            cameras without a usable record).
        settle_ms: wait between the move and the exposure, ms.
        tries: how often a disturbed pattern is repeated before the site is given up.
        give_up_after: the run ends when so many sites in a row could not be measured.
        late_ms: a frame that is not there so long after its exposure is given up, ms.
        dark_frames: blanked frames taken at the start for offset and bad pixels; 0 takes none.
        saturation_level: counts at which a pixel is saturated; None takes the largest number that the camera's eight or
            sixteen bits can hold.
        sum_tolerance: a pattern whose counts differ from the others' by more than this share is taken again; it is
            kept when the second one says the same.
        mrad_per_px: calibration, mrad; None takes the camera's.
        counts_per_electron: None takes the camera's.
    """

    exposure_ms: float = 20.0
    binning: int | None = None
    mode: PatternMode = "record"
    settle_ms: float = 1.0
    tries: int = 3
    give_up_after: int = 5
    late_ms: float = 1000.0
    dark_frames: int = 0
    saturation_level: float | None = None
    sum_tolerance: float = 0.2
    mrad_per_px: float | None = None
    counts_per_electron: float | None = None

    def __post_init__(self) -> None:
        _choice("mode", self.mode, get_args(PatternMode))
        _positive(exposure_ms=self.exposure_ms, binning=self.binning, tries=self.tries, late_ms=self.late_ms)
        _positive(
            mrad_per_px=self.mrad_per_px, give_up_after=self.give_up_after, counts_per_electron=self.counts_per_electron
        )
        _positive(saturation_level=self.saturation_level)
        _not_negative(settle_ms=self.settle_ms, dark_frames=self.dark_frames, sum_tolerance=self.sum_tolerance)


@dataclass(frozen=True)
class BeamSettings:
    """The beam: how it is blanked, where it waits, how strong it is.

    Attributes:
        blanker: control that blanks the beam; where the instrument has none, the probe is parked instead.
        blanked: the control's value when the beam is blanked.
        open: its value when the beam is on the sample.
        blanker_timeout_ms: how long the blanker may take, ms.
        blanker_tries: how often it is asked before the instrument counts as faulty.
        opening_ms: wait between opening the blanker and the exposure, ms.
        park: where the probe waits, (y, x) as fractions of the survey frame; None for Swift's own parking position.
        leave_blanked: leave the beam blanked (or parked) at the end, whatever it was before.
        current_pa: beam current, pA; None takes the control's.
        current_control: control that reads the beam current in A.
        probe_nm: diameter of the area that one static probe exposes, nm (at least a pixel of the survey counts).
        max_electrons: the run stops before more electrons than this hit the sample; None for no limit.
    """

    blanker: str = "C_Blank"
    blanked: float = 1.0
    open: float = 0.0
    blanker_timeout_ms: int = 1000
    blanker_tries: int = 3
    opening_ms: float = 0.0
    park: Pair | None = (0.0, 0.0)
    leave_blanked: bool = True
    current_pa: float | None = None
    current_control: str = "BeamCurrent"
    probe_nm: float = 0.1
    max_electrons: float | None = None

    def __post_init__(self) -> None:
        if self.park is not None:
            object.__setattr__(self, "park", tuple(float(part) for part in self.park))
            if not all(0 <= part <= 1 for part in self.park):
                raise InputError(f"park is {self.park}; give (y, x) as fractions of the frame from 0 to 1, or None")
        if self.blanked == self.open:
            raise InputError(
                f"the blanker's values for blanked and open are both {self.open:g}; give two different ones"
            )
        _positive(blanker_timeout_ms=self.blanker_timeout_ms, blanker_tries=self.blanker_tries)
        _positive(current_pa=self.current_pa, probe_nm=self.probe_nm, max_electrons=self.max_electrons)
        _not_negative(opening_ms=self.opening_ms)


@dataclass(frozen=True)
class DriftSettings:
    """The small reference scans that follow the sample.

    Attributes:
        every_sites: a reference scan after so many sites; None for none by number.
        every_s: a reference scan after so many seconds; None for none by time.
        kind: `subscan` scans the part of the frame with most contrast, at the survey's pixel size; `frame` scans the
            whole frame with fewer pixels.
        share: the part of the frame's side that the subscan covers, or of its pixels that the small frame has.
        pixel_time_us: dwell time, us; None for the survey's.
        smooth_nm: both images are smoothed with this standard deviation before they are compared, nm; about the size
            of an atom, since most of a fast scan is noise.
        max_jump_nm: a larger difference from where the sample was expected is not believed, nm.
        min_score: correlation coefficient below which a reference scan is not believed.
        tries: how often a reference scan is repeated before the run ends.
    """

    every_sites: int | None = None
    every_s: float | None = None
    kind: ReferenceKind = "subscan"
    share: float = 0.4
    pixel_time_us: float | None = None
    smooth_nm: float = 0.1
    max_jump_nm: float = 0.3
    min_score: float = 0.2
    tries: int = 3

    def __post_init__(self) -> None:
        _choice("kind", self.kind, get_args(ReferenceKind))
        _positive(every_sites=self.every_sites, every_s=self.every_s, pixel_time_us=self.pixel_time_us)
        _positive(max_jump_nm=self.max_jump_nm, tries=self.tries)
        _not_negative(smooth_nm=self.smooth_nm)
        if not 0.05 <= self.share <= 1:
            raise InputError(f"the share of the reference scan is {self.share:g}; give 0.05 to 1")
        if not 0 <= self.min_score < 1:
            raise InputError(f"min_score is {self.min_score:g}; give a correlation coefficient from 0 to below 1")

    @property
    def is_on(self) -> bool:
        """Whether the sample is followed at all."""
        return self.every_sites is not None or self.every_s is not None


@dataclass(frozen=True)
class HookSettings:
    """Everything about the acquisition.

    Attributes:
        consent: the user agreed that the probe of a real instrument is moved and its beam switched.
        survey: the survey frame.
        pattern: how patterns are taken.
        beam: blanking, current, dose limit.
        drift: reference scans.
        margin: sites nearer to the edge than this share of the frame are measured at that distance from it.
    """

    consent: bool = False
    survey: SurveySettings = field(default_factory=SurveySettings)
    pattern: PatternSettings = field(default_factory=PatternSettings)
    beam: BeamSettings = field(default_factory=BeamSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 0.5:
            raise InputError(f"the margin is {self.margin:g} of the frame; give 0 to below 0.5")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HookSettings:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        return made(cls, data)


def _choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name} is {value!r}; choose one of {', '.join(known)}")


def _positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; give a number above 0")


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}; give 0 or more")
