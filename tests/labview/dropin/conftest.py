"""A folder of the published VI, and the drop-in's modules loaded as LabVIEW loads them."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

MODULES = Path(__file__).resolve().parents[3] / "labview_bridge" / "labview"
HEADER = "X_pixel\tY_pixel)\tScalar\tIndex\tX,Y (nm)\r\n"


def load_by_path(path: Path) -> ModuleType:
    """Load a module by its path alone, as LabVIEW does."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_ours(name: str) -> bool:
    return name.startswith("_dropin_") or name == "dkl_bridge"


class NoWorker:
    """A bridge whose worker cannot be reached; a test puts its own in its place."""

    def connect(self, _settings: Any) -> Any:
        raise ConnectionError("no worker in this test")


class Vi:
    """The VI's folder, and a Python session."""

    def __init__(self, base: Path, settings: Path) -> None:
        self.base, self._settings = base, settings
        self.name = "Exp"
        self.configure()

    def configure(self, **section: Any) -> None:
        """Write the settings; without a deadline among them no decision depends on how fast the machine is."""
        whole = {"python": sys.executable, "runs": str(self.base / "runs"), "deadline_s": 100.0}
        whole.update({name: section.pop(name) for name in ("deadline_s", "runs") if name in section})
        first = whole["deadline_s"]
        whole["published"] = {"base": str(self.base), "first_deadline_s": first, **section}
        self._settings.write_text(json.dumps(whole))

    def new_session(self, bridge: Any = None) -> SimpleNamespace:
        """Modules as a Python session that was just opened has them."""
        for name in [name for name in sys.modules if is_ours(name)]:
            del sys.modules[name]
        sys.modules["dkl_bridge"] = bridge or NoWorker()  # type: ignore[assignment]
        loaded = {path: load_by_path(MODULES / f"{path}.py") for path in ("DKL_using_gpax", "scalarizer")}
        zoom = load_by_path(MODULES / "next_DKL_coordinate.py")
        return SimpleNamespace(dkl=loaded["DKL_using_gpax"], scalar=loaded["scalarizer"], zoom=zoom)

    def write_scan(self, heights: Any, text: str | None = None) -> None:
        """The topograph, top row first, as the VI saves it."""
        size = len(heights)
        lines = ["Bias\t1.0", "x\ty\tz"]
        lines += [f"{x}\t{size - 1 - row}\t{heights[row][x]!r}" for row in range(size) for x in range(size)]
        self.scan.write_bytes((text or "\r\n".join(lines) + "\r\n").encode())

    def write_rows(self, rows: list[tuple[float, ...]]) -> None:
        """The compilation file."""
        body = "".join("\t".join(f"{value:.6f}" for value in row) + "\r\n" for row in rows)
        self.compilation.write_bytes((HEADER + body).encode())

    def ask(self, session: SimpleNamespace, iteration: Any, step: Any = 10, window: Any = 30) -> list[int]:
        answer: list[int] = session.dkl.dkl_gpax_LV(self.scan.name, self.compilation.name, step, window, iteration)
        return answer

    def measure(self, session: SimpleNamespace, spectrum: Any, place: Any) -> float:
        value: float = session.scalar.scalarizer(f"{self.name}_spectroscopy.txt", spectrum, *place)
        return value

    @property
    def scan(self) -> Path:
        return self.base / f"{self.name}_scan.txt"

    @property
    def compilation(self) -> Path:
        return self.base / f"{self.name}__compilation.txt"

    def statuses(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.base / f"{self.name}_status.jsonl").read_text().splitlines()]

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.base / "runs").iterdir() if path.is_dir())

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.runs()[-1] / "journal.jsonl").read_text().splitlines()]


@pytest.fixture
def vi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vi]:
    monkeypatch.setenv("DKL_BRIDGE_SETTINGS", str(tmp_path / "settings.json"))
    base = tmp_path / "base"
    base.mkdir()
    before = {name: module for name, module in sys.modules.items() if is_ours(name)}
    path = list(sys.path)
    yield Vi(base, tmp_path / "settings.json")
    for name in [name for name in sys.modules if is_ours(name)]:
        del sys.modules[name]
    sys.modules.update(before)
    sys.path[:] = path


@pytest.fixture
def parts(vi: Vi) -> SimpleNamespace:
    """The private modules of a fresh session, by their names without `_dropin_`."""
    vi.new_session()
    names = [name for name in sys.modules if name.startswith("_dropin_")]
    return SimpleNamespace(
        spectra=load_by_path(MODULES / "_dropin_spectra.py"),
        **{name.removeprefix("_dropin_"): sys.modules[name] for name in names if name != "_dropin_spectra"},
    )


@pytest.fixture
def heights() -> list[list[float]]:
    """A small topograph without symmetry, top row first."""
    rows, cols = np.mgrid[0:64, 0:64]
    values: list[list[float]] = (np.sin(cols / 7.0) + 0.02 * rows + 0.001 * rows * cols).tolist()
    return values


@pytest.fixture
def spectrum() -> list[list[float]]:
    """A spectrum with a gap: bias, current, LIX, LIY."""
    bias = np.linspace(-1.5, 1.5, 121)
    didv = np.maximum(np.abs(bias) - 0.4, 0.0) + 0.01
    rows: list[list[float]] = [bias.tolist(), np.cumsum(didv).tolist(), didv.tolist(), (0 * bias).tolist()]
    return rows
