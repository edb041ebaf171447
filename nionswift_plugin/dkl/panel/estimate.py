"""What an experiment will cost, before it is started."""

from __future__ import annotations

from dataclasses import dataclass

from nionswift_plugin.dkl.acquisition.dose import ELEMENTARY_CHARGE_C
from nionswift_plugin.dkl.panel.model import ELECTRONS_PER_MILLION, PanelSettings

# Moving, settling, switching the beam, reading out: of one pattern, until it has been measured, s.
OVERHEAD_S = 0.06
# Of which the beam is on the sample, s.
OPEN_S = 0.05
# The number made of the pattern, the record, the decision where to go next: of one site, s.
DECIDING_S = 0.06
# Taking the microscope over; the first fit, which loads the model; a reference scan beside the time of its lines, s.
PREPARING_S, FIRST_FIT_S, LOOKING_S = 2.0, 4.0, 0.25
# Learning what is unusual in the survey image; an autoencoder is trained for it, s.
LEARNING_S, TRAINING_S = 2.0, 90.0
# Where the survey's dwell time is left to Swift, us.
USUAL_DWELL_US = 2.0


@dataclass(frozen=True)
class Estimate:
    """What it will cost.

    Attributes:
        measured: sites that will be measured.
        sites: sites that there are.
        seconds: how long it takes, s.
        electrons: that hit the sample, None when the beam current is unknown.
        limit: which limit ends it: `sites`, `time`, `dose` or `all` (no site is left).
    """

    measured: int
    sites: int
    seconds: float
    electrons: float | None
    limit: str

    @property
    def share(self) -> float:
        """Measured sites over all."""
        return self.measured / self.sites

    @property
    def saving(self) -> float:
        """How many times the dose of measuring every site would be larger."""
        return self.sites / max(1, self.measured)


def estimate(
    settings: PanelSettings,
    sites: int,
    *,
    patterns: int = 1,
    site_s: float | None = None,
    site_electrons: float | None = None,
    current_pa: float | None = None,
    survey_s: float | None = None,
) -> Estimate:
    """What an experiment will cost.

    Args:
        settings: the experiment.
        sites: how many sites there are.
        patterns: how many patterns one site takes.
        site_s: how long a site took when it was tried, s; None if none was.
        site_electrons: how many electrons a site took then; None if unknown.
        current_pa: beam current, pA; None if unknown.
        survey_s: how long the beam was on the sample for the survey, s; None if none was taken.
    """
    exposure_s, current_pa = settings.exposure_ms / 1000, settings.current_pa or current_pa
    survey_s = survey_s or settings.survey_px**2 * (settings.dwell_us or USUAL_DWELL_US) * 1e-6
    scan_s = survey_s * settings.acquisition().drift.share ** 2
    survey_e = _electrons(survey_s, current_pa) or 0.0
    each_s = (site_s or patterns * (exposure_s + OVERHEAD_S)) + DECIDING_S
    each_e = site_electrons or _electrons(patterns * (exposure_s + OPEN_S), current_pa)
    if settings.follow_every:
        each_s += (scan_s + LOOKING_S) / settings.follow_every
        each_e = None if each_e is None else each_e + (_electrons(scan_s, current_pa) or 0.0) / settings.follow_every
    limits = {"sites": settings.sites, "all": sites}
    if settings.minutes is not None:
        limits["time"] = max(1, int((settings.minutes * 60 - FIRST_FIT_S) / each_s))
    if settings.million_electrons is not None and each_e:
        left = settings.million_electrons * ELECTRONS_PER_MILLION - survey_e
        limits["dose"] = max(0, int(left / each_e))
    limit = min(limits, key=lambda name: limits[name])
    count = max(0, limits[limit])
    electrons = None if each_e is None else count * each_e + survey_e
    dark_s = settings.dark_frames * (exposure_s + OVERHEAD_S)
    before_s = PREPARING_S + survey_s + dark_s + _learning_s(settings)
    return Estimate(count, sites, before_s + FIRST_FIT_S + count * each_s, electrons, limit)


def _learning_s(settings: PanelSettings) -> float:
    if settings.aim != "structure":
        return 0.0
    return TRAINING_S if settings.workflow.endswith("rvae") and not settings.target_file else LEARNING_S


def _electrons(seconds: float, current_pa: float | None) -> float | None:
    return None if current_pa is None else current_pa * 1e-12 * seconds / ELEMENTARY_CHARGE_C
