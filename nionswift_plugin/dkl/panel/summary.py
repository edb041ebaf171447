"""What the panel says: of sites, cost, progress; and which of its buttons may be pressed."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from typing import TYPE_CHECKING

from nionswift_plugin.dkl.panel.estimate import Estimate
from nionswift_plugin.dkl.panel.status import RunStatus
from nionswift_plugin.dkl.panel.wording import duration, millions, property_of, with_unit

if TYPE_CHECKING:
    from nionswift_plugin.dkl.panel.controller import Controller

_ = gettext.gettext
_LIMITS = {
    "sites": "",
    "time": _(" (the time ends it)"),
    "dose": _(" (the dose ends it)"),
    "all": _(" (every site)"),
}


def texts(controller: Controller) -> dict[str, str]:
    """All texts that change, by their names in the view."""
    setup, settings = controller.setup, controller.settings
    shown = property_of(settings.measured)
    status = controller.status
    return {
        "device": device(controller),
        "survey": setup.ground.summary if setup.ground else _("no survey yet; Start takes one"),
        "patch_nm": patch(controller),
        "grid": setup.problem or (_("{count:,} sites").format(count=setup.sites) if setup.sites else ""),
        "unit": "" if settings.aim == "structure" else shown.unit,
        "live": setup.pattern.words,
        "trial": setup.trial.words(shown.unit) if setup.trial else "",
        "estimate": cost(setup.estimate(settings), is_replay=controller.places.is_replay(settings)),
        "progress": progress(controller.phase, status),
        "best": "" if status is None else found(status, shown.unit),
        "message": controller.message or ending(controller) or controller.run.note or controller.run.warning,
        "pause": _("Resume") if controller.phase == "paused" else _("Pause"),
        "stop": _("Stop now") if controller.phase == "stopping" else _("Stop"),
        "option_hint": hint(settings.measured),
    }


def flags(controller: Controller) -> dict[str, bool]:
    """What is visible or may be pressed, by names in the view."""
    phase, setup = controller.phase, controller.setup
    is_there = controller.places.is_there(controller.settings)
    is_free = phase == "idle" and is_there and not controller.needs_consent
    runs = phase in ("running", "paused")
    return {
        "consent": controller.needs_consent,
        "free": is_free,
        "can_try": is_free and setup.sites > 0,
        "can_start": is_free and not setup.problem,
        "can_pause": runs,
        "can_step": (is_free and not setup.problem) or runs,
        "can_stop": phase not in ("idle", "starting"),
        "can_steer": runs,
        "value": controller.settings.aim == "value",
        "structure": controller.settings.aim == "structure",
        "live": bool(setup.pattern.words),
        "trial": setup.trial is not None,
    }


def device(controller: Controller) -> str:
    """What is chosen, in words."""
    if controller.places.is_replay(controller.settings):
        recorded = controller.places.recorded(controller.settings)
        if recorded is None:
            return _("Recorded data: being opened…")
        return " ".join([_("Recorded data: nothing is moved, no dose is spent."), *recorded.notices])
    devices = controller.devices
    if devices is None:
        return _("No microscope with a camera: switch the simulator on (menu), or load the hardware")
    if devices.is_simulated:
        return _("Simulated: nothing real is moved")
    return _("Real hardware: the probe is moved, the beam is blanked between sites")


def patch(controller: Controller) -> str:
    """The patch window in nm."""
    ground = controller.setup.ground
    pixel_nm = None if ground is None else ground.survey.pixel_nm
    if pixel_nm is None:
        return "px"
    return f"px = {controller.settings.patch_px * pixel_nm[1]:.3g} nm"


def cost(of: Estimate | None, *, is_replay: bool = False) -> str:
    """An estimate in a line; a replay costs no dose, and no more time than the model needs."""
    if of is None:
        return _("estimate: after the survey")
    if is_replay:
        return _("{share:.1%} of the sites · no dose").format(share=of.share)
    dose = "" if of.electrons is None else f" · {millions(of.electrons)}"
    return _("about {time} · {share:.1%} of the sites · dose 1/{saving:.0f}{dose}{limit}").format(
        time=duration(of.seconds), share=of.share, saving=of.saving, dose=dose, limit=_LIMITS[of.limit]
    )


def progress(phase: str, status: RunStatus | None) -> str:
    """Where a run stands, in a line."""
    match phase:
        case "busy":
            return _("measuring…")
        case "starting" | "preparing":
            return _("preparing the microscope…")
    if status is None:
        return _("ready")
    parts = [f"{status.measured} / {status.budget}", _of(duration(status.elapsed), status.seconds_limit, duration)]
    if status.seconds_left is not None and phase in ("running", "paused"):
        parts.append(_("{time} left").format(time=duration(status.seconds_left)))
    if status.electrons is not None:
        spent = millions(status.electrons) if status.electrons else _("no dose")
        parts.append(_of(spent, status.electron_limit, millions))
    if phase in ("paused", "stopping"):
        parts.append(_("paused") if phase == "paused" else _("stopping…"))
    return " · ".join(parts)


def _of(spent: str, limit: float | None, shown: Callable[[float], str]) -> str:
    """What was spent, and of how much where there is a limit."""
    return spent if limit is None else _("{spent} of {limit}").format(spent=spent, limit=shown(limit))


def found(status: RunStatus, unit: str) -> str:
    """What a run has found, in a line."""
    parts = [status.looked_for] if status.looked_for else []
    unit = "" if status.looked_for else unit
    if status.best is not None:
        parts.append(_("best {value}").format(value=with_unit(status.best, unit)))
    if status.last is not None:
        parts.append(_("last {value}").format(value=with_unit(status.last, unit)))
    if status.structure_share is not None:
        parts.append(_("structure explains {share:.0%}").format(share=status.structure_share))
    if status.drift_nm is not None:
        parts.append(_("drift {nm:.2f} nm").format(nm=status.drift_nm))
    return " · ".join(parts)


def ending(controller: Controller) -> str:
    """How the last run ended, in a line; empty while one goes on."""
    outcome, path = controller.run.outcome, controller.run.path
    if outcome is None or path is None:
        return ""
    return _("{reason} · {name}").format(reason=outcome.reason, name=path.name)


def hint(measured: str) -> str:
    """Which options a property has."""
    from dkl_core.scalarizers import available_scalarizers

    if measured not in _hints:
        for info in available_scalarizers():
            _hints[info.name] = ", ".join(option.name for option in info.options)
    return _hints.get(measured, "")


_hints: dict[str, str] = {}
