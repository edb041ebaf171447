"""What the commands share: options, progress bars, results."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, BetaSchedule, ConstantBeta
from dkl_core.datasets import RecordedData, load_recorded
from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import ExperimentSettings, Progress, SeedSettings, StopRules
from dkl_core.experiment.recorded import software_versions
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.replay import ReplayProblem, default_patches, replay_problem
from dkl_core.scalarizers import NamedScalarizer, get_scalarizer
from dkl_core.surrogate.settings import Pretrain, Pretrained, SurrogateSettings, model_settings
from dkl_core.survey import Levelling, SurveyImage

HELP_FORMAT = argparse.RawDescriptionHelpFormatter


def add_command(commands: Any, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """A subcommand with its example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=HELP_FORMAT,
    )
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which data are read and how sites are laid."""
    parser.add_argument("file", metavar="FILE", help="recorded data: .npz, published .hf5, Nanonis .3ds or .sxm")
    parser.add_argument("--image", metavar="KEY", help="name of the structural image in the file")
    parser.add_argument("--target", metavar="KEY", help="name of the scalar in the file")
    parser.add_argument("--frame-nm", type=float, metavar="NM", help="frame width, if neither file nor name tells it")
    parser.add_argument("--window", type=int, metavar="PX", help="edge of a patch in pixels")
    parser.add_argument("--stride", type=int, metavar="PX", help="distance of neighbouring sites in pixels")
    parser.add_argument(
        "--levelling", choices=("none", "plane", "rows", "steps"), default="none", help="background removed first"
    )
    parser.add_argument("--scalarizer", metavar="NAME", help="make the scalar of the raw data with this scalarizer")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the scalarizer; may be repeated",
    )
    parser.add_argument("--repeats", type=int, default=1, metavar="R", help="number of repeats (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed of the first repeat (default 0)")
    add_device_option(parser)


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Where the model is computed."""
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, or auto: CUDA where there is one")


def add_decision_options(parser: argparse.ArgumentParser, budget: int) -> None:
    """The options that say how sites are chosen."""
    parser.add_argument("--budget", type=int, default=budget, metavar="N", help=f"measurements (default {budget})")
    parser.add_argument(
        "--seeds-init", type=int, default=20, metavar="N", help="measurements before the model (default 20)"
    )
    parser.add_argument(
        "--acquisition",
        choices=("ei", "ucb", "pi", "uncertainty", "thompson"),
        default="ucb",
        help="acquisition function (default ucb)",
    )
    parser.add_argument("--goal", default="maximise", help="maximise (default), minimise or target=VALUE")
    parser.add_argument("--xi", type=float, default=0.01, help="least improvement of EI and PI, in standard deviations")
    parser.add_argument("--beta", default="annealed", help="UCB's beta: annealed (as published, default) or a number")


def add_pretraining_options(parser: argparse.ArgumentParser) -> None:
    """What the model `dkl` learns of all patches before anything is measured."""
    parser.add_argument(
        "--pretrain",
        choices=get_args(Pretrain),
        help="let dkl learn from all patches first: a dense autoencoder, one that sets aside turn and shift, or "
        "principal components as a network's first layer (default none)",
    )
    parser.add_argument(
        "--pretrained",
        choices=get_args(Pretrained),
        help="what then becomes of it: its codes are frozen and given to the kernel, or its encoder is finetuned as "
        "the network (default frozen; finetuned for pca)",
    )


def recorded_data(args: argparse.Namespace) -> RecordedData:
    """Read the file of a command and say what had to be assumed."""
    data = load_recorded(
        args.file, args.image, args.target, frame_nm=args.frame_nm, need_target=args.scalarizer is None
    )
    for notice in data.notices:
        print(f"note: {notice}", file=sys.stderr)
    return data


def problem_of(args: argparse.Namespace, *, repeats: bool = False) -> ReplayProblem:
    """The sites and scalars that a command works on.

    Raises:
        InputError, DataFileError: what the user gave cannot be used.
    """
    if args.repeats < 1:
        raise InputError(f"--repeats is {args.repeats}; give 1 or more")
    if args.seed < 0:
        raise InputError(f"--seed is {args.seed}; give 0 or a positive whole number")
    data = recorded_data(args)
    patches = default_patches(data)
    if args.window is not None:
        patches = replace(patches, window=args.window)
    if args.stride is not None:
        patches = replace(patches, stride=args.stride)
    patches = replace(patches, levelling=args.levelling)
    return replay_problem(data, patches, scalarizer_of(args), repeats=repeats)


def scalarizer_of(args: argparse.Namespace) -> NamedScalarizer | None:
    """The scalarizer that the user named, with its options."""
    if args.scalarizer is None:
        if args.option:
            raise InputError("--option belongs to a scalarizer; name one with --scalarizer")
        return None
    options: dict[str, object] = {}
    for text in args.option:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text!r} is not understood; write NAME=VALUE")
        options[name] = _literal(value)
    return get_scalarizer(args.scalarizer, **options)


def experiment_settings(args: argparse.Namespace, problem: ReplayProblem, model: str = "dkl") -> ExperimentSettings:
    """The experiment that the user's options describe."""
    return ExperimentSettings(
        patches=_patches_of(problem, args.levelling),
        surrogate=surrogate_of(args, model),
        acquisition=acquisition_of(args),
        goal=Goal.parse(args.goal),
        seeds=SeedSettings(args.seeds_init),
        stop=StopRules(args.budget),
        seed=args.seed,
    )


def _patches_of(problem: ReplayProblem, levelling: Levelling) -> PatchSettings:
    """Patch settings that keep the problem's own sites, whatever holes its image has."""
    return PatchSettings(
        window=problem.patches.window,
        stride=problem.patches.sites.stride,
        levelling=levelling,
        nan="exclude" if problem.on_grid else "fill",
    )


def surrogate_of(args: argparse.Namespace, model: str) -> SurrogateSettings:
    """A model by name on the user's device; the user's pre-training belongs to `dkl`.

    Raises:
        InputError: pre-training of a kind that cannot be used as the user wants.
    """
    settings = replace(model_settings(model), device=args.device, seed=args.seed)
    if model != "dkl" or (args.pretrain is None and args.pretrained is None):
        return settings
    pretrain: Pretrain = args.pretrain or "none"
    usual: Pretrained = "finetuned" if pretrain == "pca" else "frozen"
    if pretrain == "none" and args.pretrained is not None:
        raise InputError(
            f"--pretrained {args.pretrained} says what becomes of a pre-training; name one with --pretrain"
        )
    return replace(settings, pretrain=pretrain, pretrained=args.pretrained or usual)


def acquisition_of(args: argparse.Namespace) -> AcquisitionSettings:
    """The acquisition function that the user's options describe."""
    beta: BetaSchedule = AnnealedBeta(offset=args.seeds_init)
    if args.beta != "annealed":
        try:
            beta = ConstantBeta(float(args.beta))
        except ValueError as error:
            raise InputError(f"--beta is {args.beta!r}; give 'annealed' or a number") from error
    return AcquisitionSettings(args.acquisition, xi=args.xi, beta=beta)


def names_of(text: str, known: Iterable[str], option: str) -> list[str]:
    """A comma-separated list of known names.

    Raises:
        InputError: a name that is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"{option} holds {unknown[0]!r}; choose from {', '.join(known)}")
    return names


def show_progress(bar: Any, at: Progress) -> None:
    """Move a progress bar on."""
    if at.best is not None:
        bar.set_postfix_str(f"best {at.best.measurement.scalar.value:.4g}", refresh=False)
    bar.update(at.measured - bar.n)


def made_folder(path: str) -> Path:
    """The folder to write to.

    Raises:
        RecordError: it is not there and cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"the folder {folder} cannot be made ({error.strerror}); choose another with --out"
        ) from error
    return folder


def check_json(path: str | None) -> None:
    """Before anything is done of which the results could not be written.

    Raises:
        InputError: the folder of the file does not exist, or the file is a folder.
    """
    if path is not None and (not Path(path).absolute().parent.is_dir() or Path(path).is_dir()):
        raise InputError(f"--json {path} cannot be written; give a file in a folder that exists")


def image_of(path: Path, key: str | None = None, frame_nm: float | None = None) -> SurveyImage:
    """The image of a file.

    Raises:
        InputError: no such file, or no image in it.
    """
    import numpy as np

    if not path.exists():
        raise InputError(f"there is no file {path}; give an image")
    if path.suffix == ".npy":
        try:
            return SurveyImage(np.load(path, allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise InputError(f"{path.name} cannot be used as an image: {error}") from error
    return load_recorded(path, key, raw=False, frame_nm=frame_nm, need_target=False).survey


def write_json(path: str | None, results: list[Mapping[str, Any]]) -> None:
    """Write results and software versions; nothing without a path."""
    if path is None:
        return
    document = {"results": [_jsonable(result) for result in results], "versions": software_versions()}
    Path(path).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
