"""The user's own scalarizer, loaded from an installed module or from a file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from dkl_core.errors import ScalarizerError
from dkl_core.scalarizers.results import guarded


def is_reference(name: str) -> bool:
    """Whether a name refers to the user's own code: `package.module:function` or `path/to/file.py:function`."""
    place, colon, function = name.rpartition(":")
    return bool(colon and place) and function.isidentifier()


def load_reference(reference: str) -> object:
    """The function, class or object that a reference names. Its module is executed: refer only to code you trust.

    Args:
        reference: `package.module:function` of anything that can be imported, or `path/to/file.py:function`. A file is
            loaded alone, under a name of its own: the files next to it are not on the import path.

    Raises:
        ScalarizerError: the module cannot be found or raises when it is loaded, or lacks the name.
    """
    place, _, name = reference.rpartition(":")
    if place.endswith(".py"):
        module = _file_module(Path(place).expanduser().resolve())
    else:
        module = guarded(importlib.import_module, place, name=f"module {place}")
    if not hasattr(module, name):
        raise ScalarizerError(f"{place} has no {name!r}; check the spelling after the colon")
    return getattr(module, name)


def _file_module(path: Path) -> ModuleType:
    if not path.is_file():
        raise ScalarizerError(f"there is no file {path}; give the path of the Python file before the colon")
    name = f"dkl_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ScalarizerError(f"{path} cannot be loaded as Python; give a .py file")
    module = importlib.util.module_from_spec(spec)
    # data classes look their module up there while it is being executed
    sys.modules[name] = module
    try:
        guarded(spec.loader.exec_module, module, name=str(path))
    except ScalarizerError:
        del sys.modules[name]
        raise
    return module
