"""A structural target on disk: what was learned on one image is looked for in the next."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.discovery.atompatches import AtomSites
from dkl_core.discovery.components import Choice
from dkl_core.discovery.decompose import Decomposition, Verdict
from dkl_core.discovery.descriptors import Descriptor
from dkl_core.discovery.discover import Discovery, patches_for
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.target import Progress, StructuralTarget
from dkl_core.errors import DataFileError, InputError
from dkl_core.patches import Sites
from dkl_core.record import jsontext
from dkl_core.settings_json import made
from dkl_core.survey import SurveyImage

if TYPE_CHECKING:
    from dkl_core.discovery.invariant import InvariantDecomposition
    from dkl_core.representation.rvae import InvariantAutoencoder

Facts = Mapping[str, Any]
Arrays = Mapping[str, NDArray[np.generic]]
SUFFIX = ".npz"
VERSION = 1
_KIND = "dkl structural target"
_FACTS = "facts"
_INVARIANT = "invariant"
_NETWORK = "network."
_MOST_BYTES = 2**28
_ADVICE = "copy the file again, or learn it anew"
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def save_target(path: Path | str, target: StructuralTarget, settings: DiscoverySettings) -> Path:
    """Write a target.

    Args:
        path: file to write, ending in .npz; one that is there is replaced.
        target: what was learned.
        settings: what it was learned with.

    Returns:
        The file.

    Raises:
        InputError: another ending, or no such folder.
        DataFileError: it cannot be written.
    """
    file = checked_name(path)
    facts, arrays = packed(target, settings)
    members: dict[str, Any] = {_FACTS: np.array(jsontext.to_text(jsontext.encoded(facts, "facts"))), **arrays}
    try:
        with file.open("wb") as stream:
            np.savez_compressed(stream, **members)
    except OSError as error:
        raise DataFileError(f"{file} cannot be written ({error.strerror or error}); choose another place") from error
    return file


def checked_name(path: Path | str) -> Path:
    """The name of a file for `save_target`, before a long training.

    Raises:
        InputError: it does not end in .npz, or its folder is not there.
    """
    file = Path(path)
    if file.suffix != SUFFIX:
        raise InputError(f"the target's file {file.name!r} must end in {SUFFIX}; call it {file.stem}{SUFFIX}")
    if not file.parent.is_dir():
        raise InputError(f"the folder {file.parent} of the target's file is not there; make it first")
    return file


def load_target(path: Path | str) -> tuple[StructuralTarget, DiscoverySettings]:
    """Read what `save_target` wrote: the target to the last bit, and what it was learned with.

    Raises:
        DataFileError: the file cannot be read, is no target, or holds something that does not fit together.
    """
    file = Path(path)
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MOST_BYTES:
            raise DataFileError(
                f"{file.name} holds {size / 2**20:.0f} MiB, a target {_MOST_BYTES // 2**20} at most; give another file"
            )
        with np.load(file, allow_pickle=False) as members:
            arrays: dict[str, NDArray[np.generic]] = {name: members[name] for name in members.files}
    except _UNREADABLE as error:
        raise DataFileError(
            f"{file} cannot be read as a saved target ({error}); give a file that `dkl discover --save-target` wrote"
        ) from error
    return unpacked(_facts_in(arrays.pop(_FACTS, None), file.name), arrays, file.name)


def discovery_with(
    path: Path | str, survey: SurveyImage, asked: DiscoverySettings, finding: Progress | None = None
) -> Discovery:
    """A discovery that looks for a saved target instead of learning one.

    Args:
        path: the file of the target.
        survey: the image to look in.
        asked: sites, search and how atoms are found; all that concerns the target is taken from the file.
        finding: called with the share of finding atoms that is done; what it raises ends it.

    Raises:
        DataFileError: the file cannot be used.
        InputError: a blank image, one smaller than the target's window, or no atoms where they are looked for.
    """
    target, learned = load_target(path)
    own = {name: getattr(asked, name) for name in ("stride", "search", "seed", "finder", "weights")}
    settings = replace(learned, **own)
    window = target.descriptor.window
    if min(survey.shape) < window:
        raise InputError(
            f"the image of {survey.shape[0]} x {survey.shape[1]} px is smaller than the {window} px of the target in "
            f"{Path(path).name}; give a larger image, or learn a target with a smaller window"
        )
    patches = patches_for(survey, settings, finding)
    return Discovery(survey, settings, patches, target.seen_in(patches, settings))


def packed(target: StructuralTarget, settings: DiscoverySettings) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A target as facts, JSON-compatible but for NaN, and plain arrays."""
    decomposition = target.decomposition
    learned = {name: value for name, value in asdict(settings).items() if name != "search"}
    facts = {
        "kind": _KIND,
        "version": VERSION,
        "settings": {**learned, "window": target.descriptor.window},
        "descriptor": asdict(target.descriptor),
        "decomposition": decomposition.name if isinstance(decomposition, Decomposition) else _INVARIANT,
        "verdict": asdict(decomposition.verdict),
        "choice": asdict(target.choice),
        "usual": target.usual,
        "image": {"shape": list(target.sample.shape), "stride": target.sample.stride},
    }
    arrays = {
        "sample": np.asarray(target.sample.positions, dtype=np.int64),
        "weights": np.asarray(target.weights, dtype=np.float64),
    }
    if isinstance(target.sample, AtomSites):
        arrays["exact"] = target.sample.exact
    if isinstance(decomposition, Decomposition):
        arrays |= {name: getattr(decomposition, name) for name in ("components", "offset", "basis")}
    else:
        model = decomposition.model
        facts["network"] = {"side": model.side, "settings": asdict(model.settings), "scale": list(decomposition.scale)}
        arrays |= {_NETWORK + name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return facts, {name: np.array(array, order="C") for name, array in arrays.items()}


def unpacked(facts: Facts, arrays: Arrays, name: str) -> tuple[StructuralTarget, DiscoverySettings]:
    """The inverse of `packed`.

    Args:
        facts: as `packed` gave them, or read from somewhere.
        arrays: the same.
        name: where they come from, for the messages.

    Raises:
        DataFileError: they are no target, of a newer version, or do not fit together.
    """
    if facts.get("kind") != _KIND:
        raise DataFileError(f"{name} holds no structural target; give a file that `dkl discover --save-target` wrote")
    if facts.get("version") != VERSION:
        raise DataFileError(
            f"{name} holds a target of version {facts.get('version')!r}, this program reads {VERSION}; "
            "learn it anew, or use the program that wrote it"
        )
    try:
        return _unpacked(facts, arrays)
    except KeyError as error:
        raise DataFileError(f"the target in {name} cannot be used: it lacks {error}; {_ADVICE}") from error
    except (InputError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise DataFileError(f"the target in {name} cannot be used: {reason}; {_ADVICE}") from error


def _unpacked(facts: Facts, arrays: Arrays) -> tuple[StructuralTarget, DiscoverySettings]:
    settings = made(DiscoverySettings, facts["settings"])
    descriptor = made(Descriptor, facts["descriptor"])
    weights = _numbers(arrays, "weights", 2)
    count, components = weights.shape
    choice = Choice(**_with_tuples(facts["choice"], components))
    if settings.window != descriptor.window:
        raise ValueError(f"its window is {settings.window} px in one place and {descriptor.window} px in another")
    if not 0 <= choice.component < components or abs(choice.sign) != 1:
        raise ValueError(f"it looks for component {choice.component} of {components}, sign {choice.sign}")
    usual = float(facts["usual"])
    if not math.isfinite(usual):
        raise ValueError(f"what is usual is {usual}")
    positions = np.ascontiguousarray(_numbers(arrays, "sample", 2, (count, 2)), dtype=np.int64)
    rows, cols = facts["image"]["shape"]
    sample = Sites(positions, (int(rows), int(cols)), int(facts["image"]["stride"]))
    if "exact" in arrays:
        sample = AtomSites(positions, sample.shape, sample.stride, _numbers(arrays, "exact", 2, (count, 2)))
    if facts["decomposition"] == _INVARIANT:
        decomposition: Decomposition | InvariantDecomposition = _network(facts, arrays, descriptor, components)
    else:
        decomposition = _linear(facts, arrays, descriptor, components)
    return StructuralTarget(descriptor, decomposition, choice, usual, sample, weights), settings


def _linear(facts: Facts, arrays: Arrays, descriptor: Descriptor, components: int) -> Decomposition:
    name = facts["decomposition"]
    if name not in ("pca", "nmf", "nfindr"):
        raise ValueError(f"the decomposition {name!r} is unknown")
    length = descriptor.shape[0] * descriptor.shape[1]
    axes = components - 1 if name == "nfindr" else 0
    return Decomposition(
        name,
        _numbers(arrays, "components", 2, (components, length)),
        _numbers(arrays, "offset", 1, (length,)),
        _numbers(arrays, "basis", 2, (axes, length)),
        Verdict(**_with_tuples(facts["verdict"], components)),
    )


def _network(facts: Facts, arrays: Arrays, descriptor: Descriptor, components: int) -> InvariantDecomposition:
    import torch

    from dkl_core.discovery.invariant import InvariantDecomposition, InvariantVerdict
    from dkl_core.representation.rvae import SIDE, InvariantAutoencoder, InvariantSettings

    network = facts["network"]
    side = int(network["side"])
    if not 1 <= side <= SIDE:
        raise ValueError(f"its network takes pictures of {side} px, 1 to {SIDE} are possible")
    mean, spread = (float(value) for value in network["scale"])
    if not (math.isfinite(mean) and math.isfinite(spread) and spread > 0):
        raise ValueError(f"the scale of its pictures is {mean}, {spread}")
    # A network is made with random weights first; nobody's random numbers are to change by that.
    with torch.random.fork_rng(devices=[]):
        model: InvariantAutoencoder = InvariantAutoencoder(side, made(InvariantSettings, network["settings"]))
    kept = {key.removeprefix(_NETWORK): value for key, value in arrays.items() if key.startswith(_NETWORK)}
    for key, value in kept.items():
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise ValueError(f"{key} of its network holds other things than finite numbers")
    model.load_state_dict({key: torch.as_tensor(np.array(value)) for key, value in kept.items()})
    verdict = InvariantVerdict(**_with_tuples(facts["verdict"], components))
    return InvariantDecomposition(descriptor, model, (mean, spread), verdict)


def _with_tuples(facts: Facts, components: int) -> dict[str, Any]:
    """Fields of a verdict or a choice: lists, which have a number for each component, as tuples.

    Raises:
        ValueError: a list of another length.
    """
    for name, value in facts.items():
        if isinstance(value, list | tuple) and len(value) != components:
            raise ValueError(f"{name} has {len(value)} numbers for {components} components")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def _numbers(arrays: Arrays, name: str, axes: int, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """An array of the file as numbers of 64 bits.

    Raises:
        KeyError: it is not there.
        ValueError: it has another shape, or holds something else.
    """
    array = arrays[name]
    if array.ndim != axes or (shape is not None and array.shape != shape):
        raise ValueError(f"{name} has shape {array.shape}, needed is {shape or f'{axes} axes'}")
    if array.dtype.kind not in "fi" or not np.isfinite(array).all():
        raise ValueError(f"{name} holds other things than finite numbers")
    return np.ascontiguousarray(array, dtype=np.float64)


def _facts_in(array: NDArray[np.generic] | None, name: str) -> dict[str, Any]:
    if array is None or array.ndim or array.dtype.kind != "U":
        raise DataFileError(f"{name} holds no structural target; give a file that `dkl discover --save-target` wrote")
    try:
        facts = jsontext.decoded(jsontext.from_text(str(array)))
    except json.JSONDecodeError as error:
        raise DataFileError(f"the target in {name} cannot be used: {error}; {_ADVICE}") from error
    if not isinstance(facts, dict):
        raise DataFileError(f"{name} holds no structural target; give a file that `dkl discover --save-target` wrote")
    return facts
