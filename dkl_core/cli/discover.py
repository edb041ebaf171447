"""`dkl discover`: finds what is unusual in an image and visits it first."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.acquisition import AcquisitionSettings, ConstantBeta
from dkl_core.cli import common
from dkl_core.datasets import load_recorded
from dkl_core.errors import InputError

if TYPE_CHECKING:
    from dkl_core.discovery.discover import Discovery
    from dkl_core.discovery.search import SearchSettings, SearchStep
    from dkl_core.discovery.settings import DiscoverySettings
    from dkl_core.survey import SurveyImage

INTERRUPTED = 130


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "discover",
        "find what is unusual in an image, and visit it first",
        "dkl discover planted --workflow fft-nmf --out found --json found.json",
    )
    parser.add_argument(
        "file", metavar="IMAGE", help=".npz, .npy, published .hf5, Nanonis .3ds or .sxm; `planted` makes an example"
    )
    parser.add_argument("--image", metavar="KEY", help="name of the image in the file")
    parser.add_argument("--out", default="discovery", metavar="FOLDER", help="where figures go (default discovery)")
    parser.add_argument("--frame-nm", type=float, metavar="NM", help="frame width, if neither file nor name tells it")
    _add_structure_options(parser)
    _add_search_options(parser)
    return parser


def _add_structure_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workflow",
        default="fft-pca",
        metavar="NAME",
        help="fft or patch, and pca, nmf, nfindr or rvae (default fft-pca)",
    )
    parser.add_argument("--window", type=int, metavar="PX", help="edge of the window (default: an eighth of the image)")
    parser.add_argument("--stride", type=int, metavar="PX", help="distance of sites (default: 100 along the image)")
    parser.add_argument("--components", type=int, default=4, metavar="N", help="number of components (default 4)")
    parser.add_argument(
        "--component", type=int, metavar="K", help="the one to look for, from 0 (default: the clearest)"
    )
    parser.add_argument("--starts", type=int, default=3, metavar="N", help="starts of a decomposition (default 3)")
    parser.add_argument("--levelling", choices=("none", "plane", "rows", "steps"), default="none")


def _add_search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=int, default=300, metavar="N", help="sites to visit (default 300)")
    parser.add_argument("--batch", type=int, default=10, metavar="N", help="sites at a time (default 10)")
    parser.add_argument("--kernel", choices=("rbf", "matern52", "rq"), default="matern52", help="default matern52")
    parser.add_argument("--length", type=float, metavar="STEPS", help="correlation length (default: learned, 1 to 20)")
    parser.add_argument("--acquisition", choices=("ei", "ucb", "pi", "uncertainty"), default="ei", help="default ei")
    parser.add_argument("--beta", type=float, default=4.0, metavar="B", help="of UCB (default 4)")
    parser.add_argument("--mover", choices=("scan", "tip", "none"), default="scan", help="what travels (default scan)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default 0)")
    parser.add_argument("--judge", action="store_true", help="compute the whole map afterwards and compare")


def run(args: argparse.Namespace) -> None:
    """Discover, draw and say what was found."""
    from dkl_core.discovery.discover import judged, result_of

    settings, survey = _settings(args), _survey(args)
    folder = _made(Path(args.out))
    discovery = _begun(survey, settings, quiet=args.quiet)
    for notice in discovery.notices:
        print(f"note: {notice}")
    steps, cancelled = _searched(discovery, settings.search.budget, quiet=args.quiet)
    if not steps:
        raise SystemExit(INTERRUPTED)
    result = result_of(discovery, steps[-1], ended="cancelled" if cancelled else "budget")
    whole = None
    if args.judge and not cancelled:
        whole = discovery.target.everywhere(discovery.patches)
        result |= vars(judged(discovery, steps[-1], whole))
    result["figures"] = _drawn(discovery, steps, whole, folder)
    _say(result)
    common.write_json(args.json, [result])
    if cancelled:
        raise SystemExit(INTERRUPTED)


def _settings(args: argparse.Namespace) -> DiscoverySettings:
    from dkl_core.discovery.settings import DiscoverySettings

    return DiscoverySettings(
        workflow=args.workflow,
        window=args.window,
        stride=args.stride,
        components=args.components,
        component=args.component,
        starts=args.starts,
        levelling=args.levelling,
        search=_search_settings(args),
        seed=args.seed,
    )


def _search_settings(args: argparse.Namespace) -> SearchSettings:
    from dkl_core.discovery.pathfinder import PathSettings, Travel
    from dkl_core.discovery.process import ProcessSettings
    from dkl_core.discovery.search import SearchSettings

    if args.seed < 0:
        raise InputError(f"--seed is {args.seed}; give 0 or a positive whole number")
    path = None if args.mover == "none" else PathSettings(Travel(args.mover))
    return SearchSettings(
        process=ProcessSettings(args.kernel, args.length),
        acquisition=AcquisitionSettings(args.acquisition, beta=ConstantBeta(args.beta)),
        batch=args.batch,
        budget=args.budget,
        path=path,
        seed=args.seed,
    )


def _survey(args: argparse.Namespace) -> SurveyImage:
    from dkl_core.discovery.planted import planted_image
    from dkl_core.survey import SurveyImage

    path = Path(args.file)
    if args.file == "planted" and not path.exists():
        return SurveyImage(planted_image(seed=args.seed).image)
    if path.suffix == ".npy":
        import numpy as np

        try:
            return SurveyImage(np.load(path, allow_pickle=False))
        except ValueError as error:
            raise InputError(f"{path.name} cannot be used as an image: {error}") from error
    data = load_recorded(path, args.image, raw=False, frame_nm=args.frame_nm, need_target=False)
    return data.survey


def _begun(survey: SurveyImage, settings: DiscoverySettings, *, quiet: bool) -> Discovery:
    from tqdm import tqdm

    from dkl_core.discovery.discover import Discovery

    with tqdm(total=100, unit="%", desc="learning", disable=quiet or settings.decomposition is not None) as bar:
        return Discovery.begin(survey, settings, lambda share: bar.update(round(100 * share) - bar.n) and None)


def _searched(discovery: Discovery, budget: int, *, quiet: bool) -> tuple[list[SearchStep], bool]:
    """All steps, and whether the user stopped it."""
    from tqdm import tqdm

    steps: list[SearchStep] = []
    with tqdm(total=min(budget, len(discovery.patches)), unit="site", disable=quiet) as bar:
        try:
            for step in discovery.steps():
                steps.append(step)
                bar.set_postfix_str(f"best {step.values.max():.3g}", refresh=False)
                bar.update(len(step.visited) - bar.n)
        except KeyboardInterrupt:
            print("stopped; what was found so far follows")
            return steps, True
    return steps, False


def _drawn(discovery: Discovery, steps: list[SearchStep], whole: Any, folder: Path) -> list[str]:
    from dkl_core.discovery.figures import component_figure, search_figure, step_figure
    from dkl_core.report import save_figure

    figures = {
        "components.png": component_figure(discovery),
        "search.png": search_figure(discovery, steps[-1], whole),
        "steps.png": step_figure(discovery, steps),
    }
    return [str(save_figure(figure, folder / name, dpi=110)) for name, figure in figures.items()]


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made ({error.strerror or error}); choose another one") from error
    return folder


def _say(result: dict[str, Any]) -> None:
    length = result["correlation_length_px"]
    print(
        f"{result['workflow']}: component {result['component']} (by {result['chosen_by']}), "
        f"{result['visited']} of {result['n_sites']} sites visited in {result['seconds']:.1f} s, "
        f"correlation length {length:.0f} px, path {result['path_px']:.0f} px"
    )
    print(f"verdict: {result['verdict']}")
    best = ", ".join(f"({row}, {col})" for row, col in result["best_sites"][:5])
    print(f"strongest at (row, column): {best}")
    if "found" in result:
        print(
            f"judged by the whole map: {result['found']:.1%} of the feature found ({result['feature']:.1%} of the "
            f"sites), {result['wrong']:.1%} of what is shown is none, SSIM {result['similarity']:.2f}"
        )
    print(f"figures: {', '.join(result['figures'])}")
