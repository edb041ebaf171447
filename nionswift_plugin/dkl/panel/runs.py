"""Sessions as the panel makes them: of its settings, or of the file of an earlier run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.display.patterns import PatternSource
from nionswift_plugin.dkl.listening import Listener
from nionswift_plugin.dkl.panel.ground import Ground, area_of
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.replaying.place import PROVENANCE
from nionswift_plugin.dkl.replaying.sets import Mask
from nionswift_plugin.dkl.session import Microscope, Session

if TYPE_CHECKING:
    from nion.swift.model.DocumentModel import DocumentModel

    from dkl_core.scalarizers.registry import NamedScalarizer


class PanelMicroscope(Microscope, PatternSource, Protocol):
    """What the panel drives: a Swift microscope, or recorded data that stand for one."""

    @property
    def account(self) -> Account:
        """The electrons so far."""
        ...

    def release_items(self) -> None:
        """Let Swift write what is held; for the main thread, when the window closes."""
        ...


class Account(Protocol):
    """Counts electrons."""

    @property
    def current_pa(self) -> float | None:
        """Beam current, pA; None if unknown."""
        ...

    @property
    def electrons(self) -> float | None:
        """That hit the sample so far, None if the beam current is unknown."""
        ...


class Place(Protocol):
    """Where a session runs: on the devices of a microscope, or on recorded data."""

    @property
    def consent(self) -> bool:
        """Whether it may be used: it is not real, or the user has agreed."""
        ...

    @property
    def name(self) -> str:
        """How to call it in messages and files."""
        ...

    @property
    def allowed(self) -> Mask | None:
        """Pixels of the survey image where something can be measured, None for everywhere."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where measurements come from, for a run's file."""
        ...

    def microscope(self, hook: HookSettings, scalarizer: NamedScalarizer, /) -> PanelMicroscope:
        """What measures."""
        ...

    def require_resumable(self, host: Mapping[str, Any], name: str) -> None:
        """See that a run can be resumed here.

        Args:
            host: what its file keeps.
            name: of its file.

        Raises:
            InputError: it cannot.
        """
        ...


@dataclass(frozen=True, eq=False)
class SwiftPlace:
    """The devices of a microscope.

    Attributes:
        devices: instrument, scan, camera.
        main: Swift's main thread.
        document_model: the project.
        consent: the user agreed to the use of a real instrument.
        provenance: where measurements come from, beside the devices.
    """

    devices: Devices
    main: MainLoop
    document_model: DocumentModel
    consent: bool
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How to call it in messages and files."""
        return self.devices.name

    @property
    def allowed(self) -> Mask | None:
        """A microscope can measure everywhere."""
        return None

    def microscope(self, hook: HookSettings, scalarizer: NamedScalarizer, /) -> PanelMicroscope:
        """The microscope."""
        from nionswift_plugin.dkl.panel.steering import SteeredMicroscope

        return SteeredMicroscope(self.devices, hook, scalarizer, main=self.main, document_model=self.document_model)

    def require_resumable(self, host: Mapping[str, Any], name: str) -> None:
        """See that a run was made on a microscope.

        Raises:
            InputError: it was replayed from recorded data.
        """
        made_on = host.get(PROVENANCE)
        if made_on is not None:
            raise InputError(
                f"{name} replays recorded data ({made_on.get('name')}) and is not resumed on a microscope; "
                "choose those data as the microscope"
            )


@dataclass(frozen=True, eq=False)
class Begun:
    """A session that is to be started.

    Attributes:
        session: the session.
        microscope: what it drives.
        scalarizer: what it measures.
    """

    session: Session
    microscope: PanelMicroscope
    scalarizer: NamedScalarizer


class Listen(Protocol):
    """Makes a listener for a session that is to be."""

    def __call__(
        self, scalarizer: NamedScalarizer, microscope: PanelMicroscope, host: Mapping[str, Any], /
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
    if settings.aim == "structure" and settings.target_file:
        from dkl_core.discovery.targetfile import load_target

        # What is wrong with the file is said before the microscope is taken over.
        load_target(settings.target_file)
    hook = hook_for(settings, ground, consent=place.consent)
    survey = None if ground is None else ground.survey
    mask = None if survey is None else area_of(survey, settings, place.allowed).mask(survey)
    host = host_of(hook, scalarizer, place.name, panel=settings.to_json(), **place.provenance)
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
    place.require_resumable(host, path.name)
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
    if settings.aim == "structure":
        name = f"structure-{name}"
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
