"""What LabVIEW loads runs under Python 3.6, with the standard library alone, loaded by its path."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from labview_bridge.emulation.interpreters import interpreters

MODULES = Path(__file__).resolve().parents[3] / "labview_bridge" / "labview"
NAMES = sorted(path.name for path in MODULES.glob("*.py") if path.name not in ("dkl_bridge.py", "__init__.py"))
PYTHONS = interpreters()
# Runs in each interpreter: a session as LabVIEW has it, without package, working folder or program name.
SESSION = """
import importlib.util, json, os, sys
modules, base = sys.argv[1:3]
del sys.argv
before = set(sys.modules)
def load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(modules, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not module.__package__
    return module
dkl, scalar, zoom = load("DKL_using_gpax"), load("scalarizer"), load("next_DKL_coordinate")
answers = []
for iteration in range(1, 6):
    point = dkl.dkl_gpax_LV("T_scan.txt", "T__compilation.txt", 4, 9, iteration)
    bias = [-1.5 + 0.025 * n for n in range(121)]
    didv = [abs(v) + 0.001 * point[0] for v in bias]
    value = scalar.scalarizer("T_spectroscopy.txt", [bias, didv, didv, didv], float(point[0]), float(point[1]))
    answers.append([point, value])
answers.append(zoom.next_scan_coords("T__compilation.txt", 64, 10.0, 2.5))
foreign = [
    name for name in set(sys.modules) - before
    if not name.startswith("_dropin") and name != "dkl_bridge"
    and "site-packages" in (getattr(sys.modules[name], "__file__", None) or "")
]
print(json.dumps([answers, foreign]))
"""


def run(python: str, base: Path) -> list[object]:
    (base / "T_scan.txt").write_text(
        "h\nx\ty\tz\n" + "".join(f"{c}\t{63 - r}\t{r * c % 17}\n" for r in range(64) for c in range(64))
    )
    settings = base / "settings.json"
    section = {"base": str(base), "seeds": 3, "first_deadline_s": 100.0}
    whole = {"python": str(base / "none"), "runs": str(base / "runs"), "deadline_s": 100.0, "published": section}
    settings.write_text(json.dumps(whole))
    done = subprocess.run(
        [python, "-B", "-c", SESSION, str(MODULES), str(base)],
        env={"DKL_BRIDGE_SETTINGS": str(settings)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    return run(sys.executable, tmp_path_factory.mktemp("expected"))


@pytest.mark.parametrize("version", sorted(PYTHONS))
def test_every_python_gives_the_same_points_and_scalars(version, tmp_path, expected):
    answers, foreign = run(str(PYTHONS[version]), tmp_path)
    assert answers == expected[0]
    assert foreign == []


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_python_36_and_imports_the_standard_library_alone(name):
    tree = ast.parse((MODULES / name).read_text(), feature_version=(3, 6))
    newer = (ast.NamedExpr, ast.Match, ast.TryStar)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    own = {Path(other).stem for other in NAMES} | {"dkl_bridge"}
    assert imported <= set(sys.stdlib_module_names) | own
    assert "__future__" not in imported
    assert "dataclasses" not in imported
