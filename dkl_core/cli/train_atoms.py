"""`dkl train-atoms`: trains the network that finds atoms, from nothing or on one's own images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.cli import common
from dkl_core.cli.find_atoms import INTERRUPTED, read_image
from dkl_core.errors import InputError

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.retrain import Change, Labelled

RETRAIN_STEPS = 150


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "train-atoms",
        "train the network that finds atoms; without images, as the shipped one was",
        "dkl train-atoms mine.npz --out mine_weights.npz",
    )
    parser.add_argument(
        "files", metavar="IMAGE", nargs="*", help="images to learn from; an .npz may hold positions as `atoms` (n, 2)"
    )
    parser.add_argument("--image", metavar="KEY", help="name of the image in the files")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights to begin with (default: those shipped)")
    parser.add_argument("--out", default="atom_weights.npz", metavar="FILE", help="default atom_weights.npz")
    parser.add_argument("--steps", type=int, metavar="N", help=f"batches (default: {RETRAIN_STEPS} with images)")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (default 0)")
    return parser


def run(args: argparse.Namespace) -> None:
    """Train, and say what came of it."""
    out = Path(args.out)
    if out.suffix != ".npz":
        raise InputError(f"--out {out} does not end in .npz; give a file name such as weights.npz")
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist; create it or choose another one")
    _check_writable(out)
    try:
        results = _retrained(args, out) if args.files else _trained(args, out)
    except KeyboardInterrupt:
        print("stopped; the weights are as they were")
        raise SystemExit(INTERRUPTED) from None
    common.write_json(args.json, [results])


def _check_writable(out: Path) -> None:
    """Before minutes are spent on what could not be written."""
    from tempfile import TemporaryFile

    if out.is_dir():
        raise InputError(f"--out {out} is a folder; give the name of a file")
    try:
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror or error}); choose another place") from error


def _trained(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    from dataclasses import asdict, replace

    from tqdm import tqdm

    from dkl_core.discovery.atoms.train import TrainSettings, trained
    from dkl_core.discovery.atoms.validate import validated
    from dkl_core.discovery.atoms.weights import load_network, save_weights
    from dkl_core.experiment.recorded import software_versions

    if args.weights is not None:
        raise InputError("--weights is for retraining; give images to learn from, or leave it out")
    settings = TrainSettings()
    settings = settings if args.steps is None else replace(settings, steps=args.steps)
    settings = settings if args.seed is None else replace(settings, seed=args.seed)
    with tqdm(total=settings.steps, unit="step", disable=args.quiet) as bar:
        network = trained(settings, lambda step, loss: _moved(bar, step, loss))
    save_weights(network, out)
    found = validated(load_network(out), settings.conditions)
    facts = {"settings": asdict(settings), "validation": {dose: asdict(part) for dose, part in found.items()}}
    facts["versions"] = software_versions()
    out.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for dose, part in found.items():
        print(f"{dose:>4s} electrons per atom's peak: {part.found:.1%} of columns found, {part.false:.1%} false")
    print(f"written: {out}, {out.with_suffix('.json')}")
    return facts


def _retrained(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from tqdm import tqdm

    from dkl_core.discovery.atoms.retrain import RetrainSettings, retrained
    from dkl_core.discovery.atoms.weights import load_network, save_weights

    settings = RetrainSettings(RETRAIN_STEPS if args.steps is None else args.steps, seed=args.seed or 0)
    network = load_network(args.weights)
    images = [_labelled(file, args) for file in args.files]
    with tqdm(total=settings.steps, unit="step", disable=args.quiet) as bar:
        fresh, change = retrained(network, images, settings, lambda step, loss: _moved(bar, step, loss))
    _say(change)
    kept = "new" if change.better else "old"
    if change.better:
        save_weights(fresh, out)
        print(f"written: {out}; use it with: dkl find-atoms IMAGE --weights {out}")
    else:
        print("the new weights are not better on the held-out parts: the old ones stay, nothing was written")
    return {"kept": kept, "out": str(out) if change.better else None, **asdict(change)}


def _labelled(file: str, args: argparse.Namespace) -> Labelled:
    from dkl_core.discovery.atoms.retrain import labelled

    survey, positions = read_image(file, args.image), _positions(Path(file))
    one = labelled(survey.values, positions, args.weights)
    origin = "given" if one.given else "found by the present network"
    print(f"{file}: {len(one.positions):,} atoms, {origin}; spot {one.width:.2f} px")
    return one


def _positions(path: Path) -> Any:
    import zipfile

    import numpy as np

    if path.suffix != ".npz" or not zipfile.is_zipfile(path):
        return None
    with np.load(path, allow_pickle=False) as file:
        return file["atoms"] if "atoms" in file.files else None


def _moved(bar: Any, step: int, loss: float) -> None:
    bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
    bar.update(step - bar.n)


def _say(change: Change) -> None:
    for name, before, after in (
        ("held-out parts of the images", change.before, change.after),
        ("simulated images of their noise", change.simulated_before, change.simulated_after),
    ):
        print(
            f"{name}: found {before.found:.1%} before, {after.found:.1%} after; "
            f"false {before.false:.1%} before, {after.false:.1%} after"
        )
