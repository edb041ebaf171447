"""A session that is driven by the structure of its survey image, on a microscope without Swift."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.discovery.discover import Discovery
from dkl_core.experiment import StructureSettings
from dkl_core.record import read_run
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.listening import Listener, Message
from nionswift_plugin.dkl.plan import NewRun
from nionswift_plugin.dkl.session import LEARNING, Session
from tests.swift.session.fakes import FakeMicroscope, settings, survey

SOON_S = 120.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def driven(
    microscope: FakeMicroscope, path: Path, hear: Callable[[Message], object] = lambda _message: None, **options: Any
) -> Session:
    wanted = replace(settings(5), structure=StructureSettings("patch-pca", window=8, components=3))
    return Session(microscope, NewRun(path, wanted, **options), listener=Listener(message=hear), refit="wait")


def finished(session: Session) -> Session:
    assert session.wait(SOON_S)
    return session


def test_the_structure_is_learned_before_the_first_site_with_the_beam_off_the_sample(path: Path) -> None:
    microscope, heard = FakeMicroscope(), []
    logs: list[list[str]] = []

    def hear(message: Message) -> None:
        heard.append(message.text)
        if message.text == LEARNING:
            logs.append([*microscope.log, str(microscope.count)])

    session = driven(microscope, path, hear)
    session.start()
    finished(session)
    assert session.outcome is not None
    assert session.outcome.ending == "finished"
    assert logs == [["taken", "survey", "parked", "0"]]
    with read_run(path) as contents:
        kinds = [event.kind for event in contents.events()]
        assert kinds.index("structure") < kinds.index("ask")
        for at, details in enumerate(contents.measurements.details):
            site = int(contents.measurements.row[at]), int(contents.measurements.col[at])
            assert details["measured"]["value"] == survey().values[site]
    assert set(session.experiment.structure_notices) <= set(heard)  # type: ignore[union-attr]


def test_a_resumed_session_learns_nothing_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    microscope = FakeMicroscope()
    session = driven(microscope, path)
    microscope.before = lambda number: session.leave() if number == 2 else None
    session.start()
    finished(session)
    monkeypatch.setattr(Discovery, "begin", None)
    again = Session(FakeMicroscope(), path, refit="wait")
    again.start()
    finished(again)
    assert again.outcome is not None
    assert again.outcome.ending == "finished"
    assert all("measured" in told.measurement.details for told in again.experiment.told)  # type: ignore[union-attr]


def test_a_session_is_left_in_the_middle_of_a_long_training(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = threading.Event()

    def endless(_survey: Any, _settings: Any, progress: Callable[[float], None], *_: Any) -> Discovery:
        while True:
            began.set()
            progress(0.1)

    monkeypatch.setattr(Discovery, "begin", endless)
    microscope = FakeMicroscope()
    session = driven(microscope, path)
    session.start()
    assert began.wait(SOON_S)
    session.leave()
    finished(session)
    assert session.outcome is not None
    assert session.outcome.ending == "left"
    assert microscope.count == 0
    assert microscope.log[-1] == "given back"


def test_an_image_without_structure_ends_the_session_before_anything_is_measured(path: Path) -> None:
    microscope = FakeMicroscope()
    checked = SurveyImage(np.tile([[0.0, 1.0], [1.0, 0.0]], (12, 12)))
    wanted = replace(settings(5), structure=StructureSettings("fft-pca", window=8, components=3))
    session = Session(microscope, NewRun(path, wanted, survey=checked), refit="wait")
    session.start()
    finished(session)
    assert session.outcome is not None
    assert session.outcome.ending == "failed"
    assert "all windows look the same" in session.outcome.reason
    assert microscope.count == 0
    assert microscope.log[-1] == "given back"
