"""Settings of the drop-in: the part `published` of the bridge's settings file."""

import json
import os
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

FILE_VARIABLE = "DKL_BRIDGE_SETTINGS"
FILE_NAME = "dkl_bridge.json"
PUBLISHED_BASE = r"C:\Users\Public\Ganesh\DKL_Experiments"
SECTION = "published"


class Settings(NamedTuple):
    """What the drop-in goes by.

    Attributes:
        base: folder of the VI's files.
        runs: folder of the journals; by default `dkl_runs` in `base`.
        deadline_s: longest time for a decision, s.
        first_deadline_s: the same for the first decision of a Python session, which may start the worker, s.
        step: distance of sites in pixels where the VI's terminal gives none.
        window: edge of the window in pixels where the VI's terminal gives none.
        seeds: iterations before the model decides.
        seed: seed of every random choice.
        retries: how often a site whose measurement failed is tried again.
        goal: `maximise`, `minimise` or `target=VALUE`.
        model: name of the core's model.
        levelling: background removed from the image before the model sees it: `none`, `plane`, `rows` or `steps`.
        scan_first_row: whether the scan file begins with the `top` row of the frame (as the published program takes
            it) or the `bottom` one.
        scalarizer: what makes the scalar of a spectrum; a built-in name or `file.py:function`.
        options: options of the scalarizer.
        strict: whether a spectrum with a known problem gives no scalar.
        alldata: whether spectra are appended to `<spectroscopy file>_alldata.txt` too.
        bridge: the whole settings file, for the connection to the worker.
        problems: what was wrong with the file; its defaults are used instead.
    """

    base: str = PUBLISHED_BASE
    runs: str = ""
    deadline_s: float = 3.0
    first_deadline_s: float = 12.0
    step: int = 10
    window: int = 30
    seeds: int = 20
    seed: int = 0
    retries: int = 1
    goal: str = "maximise"
    model: str = "dkl"
    levelling: str = "none"
    scan_first_row: str = "top"
    scalarizer: str = "published"
    options: Mapping[str, Any] = MappingProxyType({})
    strict: bool = False
    alldata: bool = True
    bridge: Mapping[str, Any] = MappingProxyType({})
    problems: Tuple[str, ...] = ()

    def path(self, name: str) -> str:
        """Where a file of the VI is: its own place if the VI gave one, the base folder otherwise."""
        return os.path.join(self.base, name)


_OWN = (
    "base",
    "first_deadline_s",
    "step",
    "window",
    "seeds",
    "seed",
    "retries",
    "goal",
    "model",
    "levelling",
    "scan_first_row",
    "scalarizer",
    "options",
    "strict",
    "alldata",
)
_LEAST = {"deadline_s": 0.1, "first_deadline_s": 0.1, "step": 1, "window": 1, "seeds": 0, "seed": 0, "retries": 0}
_CHOICES = {"levelling": ("none", "plane", "rows", "steps"), "scan_first_row": ("top", "bottom")}


def settings_path(folder: str) -> str:
    """The settings file: the one the environment names, or the one beside the module."""
    return os.environ.get(FILE_VARIABLE) or os.path.join(folder, FILE_NAME)


def load(folder: str) -> Settings:
    """The settings in force; a file that is missing or wrong never stops a run.

    Args:
        folder: where the modules lie.
    """
    path = settings_path(folder)
    problems: List[str] = []
    whole = _read(path, problems)
    section = whole.get(SECTION, {})
    if not isinstance(section, dict):
        problems.append(f"{SECTION} in {path} is no object; it is left out")
        section = {}
    unknown = sorted(set(section) - set(_OWN))
    problems.extend("{} has no setting {!r}; it has {}".format(SECTION, name, ", ".join(_OWN)) for name in unknown)
    given = {name: section[name] for name in _OWN if name in section}
    given.update({name: whole[name] for name in ("runs", "deadline_s") if name in whole})
    good = {name: value for name, value in given.items() if _fits(name, value, problems)}
    settings = Settings(bridge=whole, **good)
    runs = settings.runs or os.path.join(settings.base, "dkl_runs")
    return settings._replace(options=dict(settings.options), runs=runs, problems=tuple(problems))


def _read(path: str, problems: List[str]) -> Dict[str, Any]:
    if not os.path.exists(path):
        problems.append(f"there is no settings file {path}; the defaults are used")
        return {}
    try:
        with open(path, encoding="utf-8-sig") as file:
            whole = json.load(file)
    except (OSError, ValueError) as error:
        problems.append(f"the settings file {path} cannot be read ({error}); the defaults are used")
        return {}
    if isinstance(whole, dict):
        return whole
    problems.append(f"the settings file {path} holds no JSON object; the defaults are used")
    return {}


def _fits(name: str, value: Any, problems: List[str]) -> bool:
    default = getattr(Settings(), name)
    kind = dict if name == "options" else type(default)
    right = type(value) is kind or (kind is float and type(value) is int)
    if right and name in _LEAST:
        right = value >= _LEAST[name] and value < float("inf")
    if right and name in _CHOICES:
        right = value in _CHOICES[name]
    if not right:
        problems.append(f"{name} is {value!r} in the settings; {default!r} is used instead")
    return right
