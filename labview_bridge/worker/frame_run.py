"""The experiment on one frame, its events written to the run's journal before they take effect."""

from __future__ import annotations

import base64
import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import DataFileError, DKLError, InputError, RecordError
from dkl_core.experiment import Experiment
from dkl_core.experiment.structure import EVENT as STRUCTURE
from dkl_core.measurement import Measurement, Site
from dkl_core.scalarizers import Spectrum, try_scalarizer
from dkl_core.survey import FloatArray
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.geometry import FrameGeometry
from labview_bridge.worker.models import ModelFolder
from labview_bridge.worker.problems import Code, WorkerError

Write = Callable[[Mapping[str, Any]], None]
Place = tuple[float, float]
_log = logging.getLogger(__name__)


class TooFarError(Exception):
    """The model wants a site beyond the maximal step.

    Attributes:
        site: index of the site.
    """

    def __init__(self, site: int) -> None:
        super().__init__(f"site {site} is beyond the maximal step")
        self.site = site


class FrameRun:
    """One frame of a run. Used by one thread at a time.

    Args:
        number: of the frame, from 0.
        geometry: where its image lies.
        image: the image as the VI gave it.
        config: the session's.
        models: where states of the model are kept.
        write: puts an event into the journal, or raises.
        check: raises where what takes long is no longer wanted.

    Raises:
        InputError: the image or the settings cannot be used.

    Attributes:
        last_fit_s: how long the last fit took, s.
        acquisition: that of every site at the last decision; None before.
        trouble: what went wrong last without ending the run.
    """

    def __init__(
        self,
        number: int,
        geometry: FrameGeometry,
        image: FloatArray,
        config: SessionConfig,
        models: ModelFolder,
        write: Write,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.number, self.geometry, self._config = number, geometry, config
        self._models, self._write, self._check = models, write, check
        self._context: Mapping[str, Any] = {}
        self._from: Place | None = None
        self._fits = 0
        self._latest_model = ""
        self.last_fit_s = 0.0
        self.acquisition: FloatArray | None = None
        self.trouble = ""
        self.experiment = Experiment(
            geometry.survey(image),
            config.experiment,
            mask=geometry.allowed(config.margin_m),
            sink=self._sink,
        )
        self.experiment.forget_raw()

    # ------------------------------------------------------------------ after a restart

    def replay(self, event: Mapping[str, Any]) -> None:
        """Repeat an event of the journal."""
        if event["event"] == "fit":
            self._fits += 1
            self._latest_model = event["model"]
            self.last_fit_s = float(event["data"].get("seconds", 0.0))
        arrays = self._models.load(event["model"]) if event["event"] == STRUCTURE else None
        try:
            self.experiment.replay_event(event["event"], event["data"], arrays=arrays)
        except DataFileError as error:
            # It is learned anew when it is needed, and comes out the same.
            _log.warning("%s: %s", event["model"], error)

    def restore(self) -> None:
        """After the last event: put the model back, and make up for a fit that the end of the process prevented."""
        state = self._models.load(self._latest_model) if self._latest_model else None
        if self._latest_model and state is None:
            self.trouble = "the model's state is gone; it was learned anew"
            _log.warning("%s: %s", self._latest_model, self.trouble)
        self.experiment.restored(state)
        if self.experiment.pending:
            self._learn_structure()
            # The core offers pending sites again by itself; which points are offered again the ledger decides.
            self.experiment.ask(len(self.experiment.pending))
        self.refit()

    # ------------------------------------------------------------------ what the VI asks for

    def tell(self, site: int, measurement: Measurement, context: Mapping[str, Any]) -> None:
        """Take a measurement in and learn from it."""
        with self._in(context):
            self.experiment.tell(site, measurement)
        self.refit()

    def choose(self, start: Place | None, context: Mapping[str, Any]) -> bool:
        """Choose the next site.

        Args:
            start: where the tip is, (X, Y) in m; None if not known.
            context: what the event is to hold besides.

        Returns:
            Whether there was one left; `experiment.stop_reason` says why not.

        Raises:
            InputError, DataFileError: the image shows no structure where that is to drive the run.
            WorkerError: no site lies within the maximal step.
        """
        self._from = start
        self._learn_structure()
        with self._in(context):
            try:
                return bool(self.experiment.ask(1, refit=False))
            except TooFarError as far:
                self._choose_within_reach(far.site)
                return True

    def withdraw(self, site: int, context: Mapping[str, Any]) -> bool:
        """Take a pending site back.

        Returns:
            Whether it was pending.
        """
        if site not in [pending.index for pending in self.experiment.pending]:
            return False
        with self._in(context):
            self.experiment.withdraw(site)
        return True

    def refit(self) -> None:
        """Learn the hyper-parameters anew if that is due; always at the same measurements, however fast the VI is."""
        if not self.experiment.refit_due:
            return
        # PyTorch is loaded here, with the first fit.
        from dkl_core.surrogate.threads import work_in_background

        work_in_background()
        try:
            task = self.experiment.begin_refit().run()
        except (ArithmeticError, RuntimeError, DKLError) as error:
            self.trouble = f"a fit failed: {type(error).__name__}: {error}"
            _log.exception("a fit failed")
            self.experiment.note("refit_failed", {"reason": self.trouble})
            return
        self.experiment.adopt(task)
        self.last_fit_s = task.seconds

    def position(self, site: int) -> Place:
        """Where a site is, (X, Y) in m."""
        place = self.experiment.sites[site]
        return self.geometry.metres(place.row, place.col)

    # ------------------------------------------------------------------ inside

    def _learn_structure(self) -> None:
        """What drives the run where it is not what is measured, and is not known yet; a worker that ends ends it."""
        self.experiment.learn_structure(lambda _share: self._check())

    @contextmanager
    def _in(self, context: Mapping[str, Any]) -> Iterator[None]:
        self._context = context
        try:
            yield
        finally:
            self._context = {}

    def _sink(self, kind: str, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        event: dict[str, Any] = {"kind": "core", "event": kind, "frame": self.number, "data": data}
        if kind == "fit":
            event["model"] = self._models.save(self.number, self._fits + 1, arrays)
            self._write(event)
            self._fits += 1
            self._latest_model = event["model"]
            return
        if kind == STRUCTURE:
            event["model"] = self._models.save_structure(self.number, arrays)
        if kind == "ask":
            event["expected"] = self._expected(int(data["sites"][0]), is_free=data.get("by") == "user")
        self._write({**event, **self._context} if kind in {"ask", "tell", "control"} else event)

    def _expected(self, site: int, *, is_free: bool) -> list[float | None]:
        if not is_free and not self._reaches(site):
            raise TooFarError(site)
        prediction, acquisition = self.experiment.predict(), self.experiment.acquisition_map()
        if prediction is None or acquisition is None:
            return [None, None, None]
        self.acquisition = acquisition
        return [float(values[site]) for values in (prediction.mean, prediction.std, acquisition)]

    def _reaches(self, site: int) -> bool:
        most = self._config.max_step_m
        return most is None or self._from is None or math.dist(self._from, self.position(site)) <= most

    def _choose_within_reach(self, wanted: int) -> None:
        """The site within the maximal step that the acquisition ranks first; of the seeds the one nearest to it."""
        sites = self.experiment.sites
        ranked = self.experiment.acquisition_map()
        if ranked is None:
            ranked = -np.linalg.norm(sites.positions - sites.positions[wanted], axis=1)
        for index in np.argsort(-ranked, kind="stable"):
            if self._reaches(int(index)) and self._asked(sites[int(index)]):
                return
        raise WorkerError(
            Code.OUTSIDE,
            f"no site that is left lies within the maximal step of {self._config.max_step_m:g} m; "
            "raise max_step_m, or go on in another run",
        )

    def _asked(self, site: Site) -> bool:
        try:
            self.experiment.ask_for(site.row, site.col)
        except InputError:
            return False
        return True


def measured(event: Mapping[str, Any], config: SessionConfig) -> Measurement:
    """The measurement that a `submit` event holds, with its scalar."""
    if event.get("failed") is not None:
        return Measurement.failed(event["failed"])
    raw = raw_of(event)
    try:
        spectrum = Spectrum.from_array(raw, config.channel_names(len(raw) - 1))
        return Measurement(try_scalarizer(config.scalarizer, spectrum), raw)
    except RecordError:
        raise
    except DKLError as error:
        return Measurement.failed(str(error), raw)


def raw_of(event: Mapping[str, Any]) -> FloatArray:
    """Bias and channels of a `submit` event as rows."""
    return np.array([event["bias"], *event["channels"]], dtype=np.float64)


def packed_image(image: FloatArray) -> dict[str, Any]:
    """An image for the journal, with its checksum."""
    data = np.ascontiguousarray(image, dtype="<f8").tobytes()
    return {
        "shape": list(image.shape),
        "sha256": hashlib.sha256(data).hexdigest(),
        "image": base64.b64encode(data).decode("ascii"),
    }


def unpacked_image(event: Mapping[str, Any]) -> FloatArray:
    """The inverse of `packed_image`.

    Raises:
        RecordError: the checksum does not match.
    """
    data = base64.b64decode(event["image"])
    if hashlib.sha256(data).hexdigest() != event["sha256"]:
        raise RecordError("an image in the journal is damaged; mend the journal from a copy")
    return np.frombuffer(data, dtype="<f8").reshape(event["shape"]).astype(np.float64)
