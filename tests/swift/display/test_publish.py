"""Live data items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nion.data.Calibration import Calibration

from nionswift_plugin.dkl.display.publish import LiveItem, Look, calibrated

LOOK = Look("test", "A title", "viridis")
AXES = (Calibration(0.0, 2.0, "nm"), Calibration(0.0, 2.0, "nm"))


def of(value: float) -> Any:
    return calibrated(np.full((4, 4), value, dtype=np.float32), AXES, metadata={"value": value})


@pytest.fixture
def window(open_window: Callable[[], Any]) -> Any:
    return open_window()


def test_an_item_has_its_title_colours_calibration_and_metadata(window: Any) -> None:
    live = LiveItem(window.stage, of(1.0), LOOK)
    item = live.data_item
    assert item.title == "A title"
    assert live.display_item.display_data_channel.color_map_id == "viridis"
    assert item.dimensional_calibrations[0] == AXES[0]
    assert item.metadata == {"dkl": {"value": 1.0}}
    live.close()


def test_updates_within_the_interval_wait_and_the_last_one_counts(window: Any) -> None:
    live = LiveItem(window.stage, of(0.0), LOOK, interval_s=0.3)
    for value in (1.0, 2.0, 3.0):
        live.update(of(value))
        window.pump_for(0.01)
    assert live.data_item.data[0, 0] == 0
    window.pump(lambda: live.data_item.data[0, 0] == 3)
    live.close()


def test_closing_shows_what_still_waits(window: Any) -> None:
    live = LiveItem(window.stage, of(0.0), LOOK, interval_s=60.0)
    live.update(of(5.0))
    live.close()
    assert live.data_item.data[0, 0] == 5
    assert not live.data_item.is_live
    assert window.model.transaction_count == 0


def test_an_update_after_closing_does_nothing(window: Any) -> None:
    live = LiveItem(window.stage, of(0.0), LOOK, interval_s=0.0)
    live.close()
    live.update(of(5.0))
    window.pump_for(0.05)
    assert live.data_item.data[0, 0] == 0


def test_an_item_that_the_user_deletes_takes_no_more_updates(window: Any) -> None:
    live = LiveItem(window.stage, of(0.0), LOOK, interval_s=0.0)
    window.delete(live.data_item)
    live.update(of(5.0))
    window.pump_for(0.05)
    assert not live.is_open
    assert live.data_item is None
    assert window.model.transaction_count == 0
    live.close()


def test_a_worker_may_update(window: Any) -> None:
    import threading

    live = LiveItem(window.stage, of(0.0), LOOK, interval_s=0.0)
    worker = threading.Thread(target=lambda: live.update(of(2.0)))
    worker.start()
    window.pump(lambda: live.data_item.data[0, 0] == 2)
    worker.join()
    live.close()
