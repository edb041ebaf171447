"""Running things on the main thread, and not waiting for it for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain, MainLoopClosedError, catch_up, on_main
from nionswift_plugin.dkl.acquisition.waiting import Cancellation, CancelledError
from tests.swift.hook.fakes import until


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


class Worker(threading.Thread):
    """Keeps what a function returned or raised."""

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self.result: object = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._function()
        except Exception as error:  # noqa: BLE001 - what the test asks for
            self.error = error


def turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.stop()
    loop.run_forever()


def finish(worker: Worker, loop: asyncio.AbstractEventLoop | None = None) -> Worker:
    def done() -> bool:
        if loop is not None:
            turn(loop)
        return not worker.is_alive()

    until(done)
    return worker


def test_a_call_runs_on_the_main_thread(loop: asyncio.AbstractEventLoop) -> None:
    main = EventLoopMain(loop)
    worker = finish(Worker(lambda: main.call(threading.current_thread)), loop)
    assert worker.result is threading.main_thread()


def test_what_a_call_raises_is_raised(loop: asyncio.AbstractEventLoop) -> None:
    main = EventLoopMain(loop)
    assert isinstance(finish(Worker(lambda: main.call(lambda: 1 / 0)), loop).error, ZeroDivisionError)


def test_a_call_from_the_main_thread_just_runs(loop: asyncio.AbstractEventLoop) -> None:
    assert EventLoopMain(loop).call(lambda: 5) == 5
    assert on_main(EventLoopMain(loop), Cancellation(), lambda: 6) == 6


def test_closing_ends_a_call(loop: asyncio.AbstractEventLoop) -> None:
    main = EventLoopMain(loop)
    worker = Worker(lambda: main.call(lambda: 5))
    main.close()
    assert isinstance(finish(worker).error, MainLoopClosedError)


def test_after_closing_nothing_runs(loop: asyncio.AbstractEventLoop) -> None:
    main, done = EventLoopMain(loop), list[int]()
    main.post(lambda: done.append(1))
    main.close()
    main.post(lambda: done.append(2))
    turn(loop)
    assert done == []


def test_a_cancellation_ends_the_wait_for_the_main_thread(loop: asyncio.AbstractEventLoop) -> None:
    cancellation = Cancellation()
    worker = Worker(lambda: catch_up(EventLoopMain(loop), cancellation))
    began = time.monotonic()
    cancellation.request()
    assert isinstance(finish(worker).error, CancelledError)
    assert time.monotonic() - began < 5


def test_a_main_thread_that_does_not_answer_is_told(loop: asyncio.AbstractEventLoop) -> None:
    worker = finish(Worker(lambda: catch_up(EventLoopMain(loop), Cancellation(), timeout_s=0.05)))
    assert isinstance(worker.error, MainLoopClosedError)
    assert "did not answer" in str(worker.error)


def test_a_sleep_ends_when_somebody_asks_to_stop() -> None:
    cancellation = Cancellation()
    worker = Worker(lambda: cancellation.sleep(60.0))
    cancellation.request()
    assert isinstance(finish(worker).error, CancelledError)


def test_a_condition_that_does_not_come_true_is_told_in_time() -> None:
    assert not Cancellation().wait_until(lambda: False, 0.01)
    assert Cancellation().wait_until(lambda: True, 0.0)
