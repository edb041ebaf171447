"""Sessions as the panel makes them: of its settings, or of the file of an earlier run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.listening import Listener
from nionswift_plugin.dkl.panel.ground import Ground, area_of
from nionswift_plugin.dkl.panel.model import PanelSettings

if TYPE_CHECKING:
    from nion.swift.model.DocumentModel import DocumentModel

    from dkl_core.scalarizers.registry import NamedScalarizer
    from nionswift_plugin.dkl.panel.steering import SteeredMicroscope
    from nionswift_plugin.dkl.session import Session


@dataclass(frozen=True, eq=False)
class Place:
    """Where a session runs.

    Attributes:
        devices: instrument, scan, camera.
        main: Swift's main thread.
        document_model: the project.
        consent: the user agreed to the use of a real instrument.
    """

    devices: Devices
    main: MainLoop
    document_model: DocumentModel
    consent: bool

    def microscope(self, hook: HookSettings, scalarizer: NamedScalarizer) -> SteeredMicroscope:
        """The microscope."""
        from nionswift_plugin.dkl.panel.steering import SteeredMicroscope

        return SteeredMicroscope(self.devices, hook, scalarizer, main=self.main, document_model=self.document_model)


@dataclass(frozen=True, eq=False)
class Begun:
    """A session that is to be started.

    Attributes:
        session: the session.
        microscope: what it drives.
        scalarizer: what it measures.
    """

    session: Session
    microscope: SteeredMicroscope
    scalarizer: NamedScalarizer


class Listen(Protocol):
    """Makes a listener for a session that is to be."""

    def __call__(
        self, scalarizer: NamedScalarizer, microscope: SteeredMicroscope, host: Mapping[str, Any], /
    ) -> Listener:
        """Of what it will measure with what, and what its file keeps."""


def scalarizer_for(settings: PanelSettings) -> NamedScalarizer:
    """What is measured.

    Raises:
        ScalarizerError: no such property, or options that do not fit.
    """
    from dkl_core.scalarizers import get_scalarizer

    return get_scalarizer(settings.measured, **settings.options)


def new_session(place: Place, settings: PanelSettings, ground: Ground | None, path: Path, listen: Listen) -> Begun:
    """A session of these settings.

    Args:
        place: where.
        settings: the experiment.
        ground: the survey that was taken; None takes one.
        path: the run's file.
        listen: makes what is told what happens.

    Raises:
        DKLError: the settings cannot be used.
    """
    from nionswift_plugin.dkl.plan import NewRun, host_of
    from nionswift_plugin.dkl.session import Session

    scalarizer = scalarizer_for(settings)
    hook = hook_for(settings, ground, consent=place.consent)
    survey = None if ground is None else ground.survey
    mask = None if survey is None else area_of(survey, settings).mask(survey)
    host = host_of(hook, scalarizer, place.devices.name, panel=settings.to_json())
    microscope = place.microscope(hook, scalarizer)
    plan = NewRun(path, settings.experiment(), survey=survey, mask=mask, host=host)
    return Begun(Session(microscope, plan, listener=listen(scalarizer, microscope, host)), microscope, scalarizer)


def resumed_session(place: Place, path: Path, listen: Listen) -> Begun:
    """A session that goes on with the file of an earlier run.

    Raises:
        DKLError: the file cannot be read, or was not made in Swift.
    """
    from nionswift_plugin.dkl.plan import hook_settings_of, scalarizer_of
    from nionswift_plugin.dkl.session import Session

    host = host_in(path)
    hook = replace(hook_settings_of(host), consent=place.consent)
    scalarizer = scalarizer_of(host)
    microscope = place.microscope(hook, scalarizer)
    return Begun(Session(microscope, path, listener=listen(scalarizer, microscope, host)), microscope, scalarizer)


def settings_in(path: Path) -> PanelSettings:
    """The settings that an earlier run was started with, to repeat it with others.

    Raises:
        InputError: it was not started from the panel.
    """
    kept = host_in(path).get("panel")
    if kept is None:
        raise InputError(f"{path.name} was not started from the panel; choose another run, or set it up anew")
    return PanelSettings.from_json(kept)


def hook_for(
    settings: PanelSettings, ground: Ground | None, *, consent: bool, leave_blanked: bool = True
) -> HookSettings:
    """How the microscope is used: on the frame of the survey if there is one."""
    hook = settings.acquisition(consent=consent)
    # the experiment minds the dose; the limit can then be changed during the run
    beam = replace(hook.beam, max_electrons=None, leave_blanked=leave_blanked)
    return replace(hook, beam=beam, survey=hook.survey if ground is None else ground.frame)


def new_path(folder: Path, settings: PanelSettings, now: Callable[[], datetime] = datetime.now) -> Path:
    """A file for a new run that is not there yet; its folder is made.

    Raises:
        InputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}; choose another one") from error
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", settings.measured)
    stem = f"{now():%Y-%m-%d-%H%M%S}-{name}"
    path, number = folder / f"{stem}.h5", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.h5", number + 1
    return path


def host_in(path: Path) -> dict[str, Any]:
    """What the host kept in a run's file."""
    from dkl_core.record import read_run

    with read_run(path) as contents:
        return dict(contents.header.settings.get("host", {}))
