"""Whatever a VI wires, each function gives exactly the types of its declaration, and nothing but."""

from __future__ import annotations

import bench_vi as vi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STATUS = (int, str)
PLACE = (float,) * 4
SIGNATURES = {
    "bridge_version": str,
    "bridge_start": STATUS,
    "bridge_ping": int,
    "session_open": (*STATUS, int),
    "session_set_image": STATUS,
    "submit_result": STATUS,
    "submit_failed": STATUS,
    "result_get": (*STATUS, int, float, bool),
    "suggest_start": (*STATUS, int),
    "suggest_poll": (*STATUS, int, float),
    "suggest_get": (*STATUS, int, *PLACE, float, float, float),
    "suggest_cancel": STATUS,
    "next_frame_start": (*STATUS, int),
    "next_frame_get": (*STATUS, float, float, float, float, float),
    "check_position": STATUS,
    "get_map": list,
    "map_axes": (*STATUS, float, float, float, float),
    "status_json": str,
    "session_close": STATUS,
    "last_error": STATUS,
}
# It ends the worker that the others need.
APART = {"bridge_stop"}
HELPERS = {"connect", "load_settings", "settings_path"}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "mean", "std", "run", "{}", '{"run": "x", "scalarizer": "area"}', "../x", "\ud800", "ä"]),
    st.text(max_size=8),
)
ARRAYS = st.one_of(
    st.lists(st.floats(allow_nan=True), max_size=5),
    st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), max_size=4),
    st.lists(st.lists(SCALARS, max_size=3), max_size=3),
    st.just(vi.BIAS),
    st.just(vi.spectrum(8, 8)),
)
ARGUMENTS = st.lists(st.one_of(SCALARS, ARRAYS), max_size=8)


def fits(value, declared) -> bool:
    """Whether a value is of the declared type, exactly."""
    if declared is list:
        rows = type(value) is list and all(type(row) is list for row in value)
        return rows and len({len(row) for row in value}) == 1 and all(type(x) is float for row in value for x in row)
    if isinstance(declared, tuple):
        return type(value) is tuple and tuple(map(type, value)) == declared
    return type(value) is declared


@pytest.fixture(scope="module")
def busy_client(tmp_path_factory):
    """A client with a run under way."""
    folder = tmp_path_factory.mktemp("types")
    with pytest.MonkeyPatch.context() as patch, vi.worker_here(folder / "runs"):
        patch.setenv("DKL_BRIDGE_SETTINGS", str(vi.written_settings(folder / "settings.json", folder / "runs")))
        client = vi.load_client()
        yield client
        vi.put_away(client)


def exported(client) -> set[str]:
    """Functions that a VI can name."""
    own = {name for name, value in vars(client).items() if callable(value) and not isinstance(value, type)}
    typing = {"Any", "Callable", "Dict", "List", "Optional", "Sequence", "Tuple", "Block", "Answer"}
    return {name for name in own if not name.startswith("_")} - typing - HELPERS


def test_every_exported_function_is_declared(busy_client):
    plain = {name for name in exported(busy_client) if not name.endswith("_x")}
    assert plain == set(SIGNATURES) | APART


@pytest.mark.parametrize("name", sorted(SIGNATURES))
@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(arguments=ARGUMENTS, real_handle=st.booleans())
def test_types_are_exact_whatever_is_wired(busy_client, name, arguments, real_handle):
    if real_handle:
        arguments = [vi.opened(busy_client), *arguments]
    call = getattr(busy_client, name)
    if name == "bridge_version":
        arguments = []
    if name in {"bridge_ping", "status_json", "last_error"}:
        arguments = (arguments or [0])[:1]
    if name == "get_map":
        arguments = ([*arguments, "mean", "mean"])[:2]
    assert fits(call(*arguments), SIGNATURES[name])
    raising = getattr(busy_client, name + "_x", None)
    if raising is None:
        return
    answer = outcome(busy_client, raising, arguments)
    assert isinstance(answer, busy_client.BridgeError) or fits(answer, SIGNATURES[name])


def outcome(client, call, arguments):
    """What a raising variant gives, or the error that it raises."""
    try:
        return call(*arguments)
    except client.BridgeError as error:
        assert_is_told(error)
        return error


def assert_is_told(error) -> None:
    assert type(error.code) is int
    assert 5000 < error.code < 6000
    assert error.text


def test_types_are_exact_where_all_is_well(busy_client):
    handle = vi.opened(busy_client, run="well")
    for _ in range(5):
        found = vi.suggested(busy_client, handle)
        assert fits(found, SIGNATURES["suggest_get"])
        assert busy_client.submit_result(handle, found[2], vi.BIAS, vi.spectrum(found[3], found[4])) == (0, "")
    vi.wait_for(lambda: busy_client.result_get(handle, found[2])[2] == 1, "the scalar")
    assert fits(busy_client.result_get(handle, found[2]), SIGNATURES["result_get"])
    for name in ("mean", "std", "acquisition", "measured"):
        assert fits(busy_client.get_map(handle, name), list)
    assert fits(busy_client.map_axes(handle), SIGNATURES["map_axes"])
    assert busy_client.bridge_ping(handle) >= 0
