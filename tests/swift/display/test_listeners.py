"""Several listeners of one session, and the words for what is measured."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dkl_core.scalarizers import available_scalarizers
from nionswift_plugin.dkl.display import property_of, together
from nionswift_plugin.dkl.listening import Listener


def test_all_listeners_hear_even_when_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_news: Any) -> None:
        raise ValueError("no")

    heard: list[str] = []
    with caplog.at_level(logging.CRITICAL):
        together(Listener(state=fail), Listener(state=heard.append), Listener()).hear_state("running")
    assert heard == ["running"]


def test_every_scalarizer_of_patterns_has_words_of_its_own() -> None:
    infos = [*available_scalarizers("pattern"), *available_scalarizers("block")]
    names = {info.name for info in infos if info.raw_kind in ("pattern", "block")}
    assert names
    # in the registry's own words, none is
    assert {name for name in names if property_of(name).name == name} == set()


def test_the_user_s_own_function_keeps_its_name() -> None:
    assert property_of("my_file.py:peak_ratio").name == "peak ratio"
