"""What happens before a run: the survey, the sites on it, trying the property, the estimate."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.dose import ELEMENTARY_CHARGE_C
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.display.grid_graphics import GridPreview, Purpose
from nionswift_plugin.dkl.display.publish import Stage
from nionswift_plugin.dkl.display.site_area import Preview, Shape
from nionswift_plugin.dkl.panel.estimate import Estimate, estimate
from nionswift_plugin.dkl.panel.ground import Ground, darkest, ground_from, ground_of
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.panel.live_pattern import LivePattern
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.runs import Place, hook_for, scalarizer_for
from nionswift_plugin.dkl.panel.wording import property_of

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.runs import Account, PanelMicroscope
    from nionswift_plugin.dkl.panel.trial import Trial

_ = gettext.gettext


class Drawn(Protocol):
    """Is told what the user has drawn."""

    def __call__(self, *, region: Shape | None, forbidden: tuple[Shape, ...]) -> object:
        """All there is now."""


class Setup:
    """Prepares an experiment; for the main thread.

    Args:
        main: Swift's main thread.
        document_controller: the window.
        changed: called when something is new.
        complain: gets what went wrong.
        drawn: is told what the user draws on the survey.
        chosen: gets the property's options when the user moves graphics on the live pattern.

    Attributes:
        ground: the survey, None before there is one.
        preview: the sites, None before they are laid.
        trial: what a few sites gave, None before they were tried.
        pattern: the live pattern.
    """

    def __init__(
        self,
        main: EventLoopMain,
        document_controller: DocumentController,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
        drawn: Drawn,
        chosen: Callable[[dict[str, Any]], object],
    ) -> None:
        self._document_controller, self._stage = document_controller, Stage(document_controller, main)
        self._changed, self._complain, self._drawn = changed, complain, drawn
        self._lane = Lane(main, "dkl-setting-up")
        self._microscope: PanelMicroscope | None = None
        self._grid: GridPreview | None = None
        self._is_placing = False
        self._account: Account | None = None
        self._tried_for = ""
        self.ground: Ground | None = None
        self.preview: Preview | None = None
        self.trial: Trial | None = None
        self.pattern = LivePattern(main, document_controller, changed, complain, chosen)

    @property
    def is_measuring(self) -> bool:
        """Whether the microscope is in use for the survey or a trial."""
        return self._lane.is_busy

    @property
    def sites(self) -> int:
        """How many sites there are."""
        return 0 if self.preview is None else self.preview.count

    @property
    def problem(self) -> str:
        """Why there are no sites; empty if there are, or before they are laid."""
        return "" if self.preview is None else self.preview.problem

    @property
    def is_settled(self) -> bool:
        """Whether the sites are those of the present settings."""
        return self._grid is None or (self._grid.is_settled and self.preview is not None)

    def estimate(self, settings: PanelSettings) -> Estimate | None:
        """What the experiment will cost, None before there are sites."""
        if not self.sites:
            return None
        shown = property_of(settings.measured)
        tried = self.trial if self._tried_for == _trial_key(settings) else None
        return estimate(
            settings,
            self.sites,
            patterns=shown.patterns,
            site_s=None if tried is None else tried.site_s,
            site_electrons=None if tried is None else tried.site_electrons,
            current_pa=None if self._account is None else self._account.current_pa,
            survey_s=self._survey_s,
        )

    @property
    def _survey_s(self) -> float | None:
        """For how long the beam was on the sample for the survey, s; None where that is not known."""
        account = self._account
        if account is None or not account.current_pa or not account.electrons:
            return None
        return account.electrons * ELEMENTARY_CHARGE_C / (account.current_pa * 1e-12)

    # ------------------------------------------------------------------ the survey

    def acquire(self, place: Place, settings: PanelSettings, then: Callable[[], object] | None = None) -> None:
        """Take a survey frame.

        Args:
            place: where.
            settings: the frame.
            then: called with the survey there; the beam stays blanked until then.
        """

        def work() -> tuple[Ground, Account]:
            hook = hook_for(settings, None, consent=place.consent, leave_blanked=then is not None)
            self._microscope = place.microscope(hook, scalarizer_for(settings))
            with self._microscope as microscope:
                survey = microscope.image()
                return ground_from(survey, hook.survey, place.allowed), microscope.account

        def done(taken: tuple[Ground, Account]) -> None:
            ground, self._account = taken
            self._surveyed(ground, settings)
            if then is not None:
                then()

        self._lane.run(work, done, self._failed)

    def use_displayed(self, settings: PanelSettings) -> None:
        """Use the image that is selected in the window.

        Raises:
            InputError: it is no frame of a scan.
        """
        shown = self._document_controller.selected_display_item
        data_item = None if shown is None else shown.data_item
        if data_item is None or data_item.xdata is None:
            raise InputError(_("no image is selected; click on a HAADF scan, or acquire a survey"))
        self._surveyed(ground_of(data_item.xdata), settings)

    def try_sites(self, place: Place, settings: PanelSettings) -> None:
        """Measure a few sites.

        Raises:
            InputError: there is no survey, or no site on it.
        """
        ground, sites = self.ground, None if self.preview is None else self.preview.sites
        if ground is None or sites is None:
            raise InputError(self.problem or _("there is no survey to choose sites on; acquire one first"))

        def work() -> Trial:
            from nionswift_plugin.dkl.panel.trial import tried

            scalarizer = scalarizer_for(settings)
            hook = hook_for(settings, ground, consent=place.consent, leave_blanked=False)
            self._microscope = place.microscope(hook, scalarizer)
            return tried(self._microscope, scalarizer, ground, sites, settings.patch_px)

        def done(trial: Trial) -> None:
            self._microscope, self.trial, self._tried_for = None, trial, _trial_key(settings)
            self._changed()

        self._lane.run(work, done, self._failed)

    def try_live(self, devices: Devices, settings: PanelSettings) -> None:
        """What the pattern that the camera shows gives.

        Raises:
            InputError: the camera shows none.
        """
        self.pattern.look(devices, settings)

    def cancel(self) -> None:
        """End what is being measured."""
        if self._microscope is not None:
            self._microscope.cancel()

    # ------------------------------------------------------------------ the sites

    def lay(self, settings: PanelSettings) -> None:
        """Lay the sites anew, and draw them."""
        grid, ground = self._grid, self.ground
        if grid is None or ground is None:
            return
        grid.set_patches(settings.patches)
        grid.set_threshold(darkest(ground.survey, settings.skip_percent))
        area = grid.area
        if (area.region, area.forbidden) != (settings.region, settings.forbidden):
            self._place_shapes(grid, settings)

    def draw(self, purpose: Purpose) -> None:
        """Put a shape on the survey for the user to drag.

        Raises:
            InputError: there is no survey.
        """
        if self._grid is None or self._grid.display_item is None:
            raise InputError(_("there is no survey to draw on; acquire one first"))
        self._grid.draw(purpose)
        self._tell_drawn()

    def forget(self) -> None:
        """Another microscope: its survey is not this one."""
        self._close_grid(window_closing=False)
        self.ground, self.preview, self.trial, self._account = None, None, None, None
        self._changed()

    def forget_current(self) -> None:
        """Other devices may have another beam current."""
        self._account = None

    def close(self, timeout_s: float) -> None:
        """See everything to its end, after the main loop was closed."""
        self._lane.close(timeout_s)
        self.pattern.close(timeout_s)
        if self._microscope is not None:
            self._microscope.release_items()
        self._close_grid(window_closing=True)

    # ------------------------------------------------------------------ inside

    def _surveyed(self, ground: Ground, settings: PanelSettings) -> None:
        self._close_grid(window_closing=False)
        self._microscope, self.ground, self.preview, self.trial = None, ground, None, None
        self._grid = grid = GridPreview(
            self._stage, ground.survey, settings.patches, self._laid, allowed=ground.allowed
        )
        self._place_shapes(grid, settings)
        self.lay(settings)
        shown = grid.display_item
        if shown is not None and not self._is_displayed(shown):
            self._document_controller.show_display_item(shown, request_focus=False)
        self._changed()

    def _is_displayed(self, shown: object) -> bool:
        controller = self._document_controller.workspace_controller
        panels = () if controller is None else controller.display_panels
        return any(panel.display_item is shown for panel in panels)

    def _place_shapes(self, grid: GridPreview, settings: PanelSettings) -> None:
        self._is_placing = True
        try:
            grid.clear()
            if settings.region is not None:
                grid.draw("region", settings.region)
            for shape in settings.forbidden:
                grid.draw("forbidden", shape)
        finally:
            self._is_placing = False

    def _laid(self, preview: Preview) -> None:
        self.preview = preview
        self._tell_drawn()
        self._changed()

    def _tell_drawn(self) -> None:
        if self._grid is not None and not self._is_placing:
            area = self._grid.area
            self._drawn(region=area.region, forbidden=area.forbidden)

    def _close_grid(self, *, window_closing: bool) -> None:
        grid, self._grid = self._grid, None
        if grid is not None:
            grid.close(window_closing=window_closing)

    def _failed(self, error: Exception) -> None:
        self._microscope = None
        self._complain(error)


def _trial_key(settings: PanelSettings) -> str:
    return f"{settings.measured} {settings.exposure_ms} {settings.mode} {settings.binning}"
