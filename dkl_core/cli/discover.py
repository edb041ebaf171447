"""`dkl discover`: finds what is unusual in an image and visits it first."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.acquisition import AcquisitionSettings, ConstantBeta
from dkl_core.cli import common
from dkl_core.errors import InputError

if TYPE_CHECKING:
    from dkl_core.discovery.discover import Discovery
    from dkl_core.discovery.planted_atoms import PlantedAtoms
    from dkl_core.discovery.search import SearchSettings, SearchStep
    from dkl_core.discovery.settings import DiscoverySettings
    from dkl_core.survey import SurveyImage

INTERRUPTED = 130
_OF_TARGET = ("workflow", "window", "components", "component")
PLANTED_ATOMS = "planted-atoms"
_FIRST = 40


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "discover",
        "find what is unusual in an image, and visit it first",
        "dkl discover planted --workflow fft-nmf --out found --json found.json",
    )
    parser.add_argument(
        "file",
        metavar="IMAGE",
        help=".npz, .npy, published .hf5, Nanonis .3ds or .sxm; `planted` and `planted-atoms` make examples",
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
        metavar="NAME",
        help="fft, patch or atoms, and pca, nmf, nfindr or rvae (default fft-pca; atoms-rvae for planted-atoms)",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="PX",
        help="edge of the window (default: an eighth of the image; round atoms, 2.75 of their distances)",
    )
    parser.add_argument("--stride", type=int, metavar="PX", help="distance of sites (default: 100 along the image)")
    parser.add_argument(
        "--components", type=int, metavar="N", help="number of components (default: what the image needs)"
    )
    parser.add_argument(
        "--component", type=int, metavar="K", help="the one to look for, from 0 (default: the clearest)"
    )
    parser.add_argument("--starts", type=int, default=3, metavar="N", help="starts of a decomposition (default 3)")
    parser.add_argument(
        "--finder", choices=("network", "classical"), default="network", help="what finds atoms (default network)"
    )
    parser.add_argument("--weights", metavar="FILE", help="of the finding network (default: those of the package)")
    parser.add_argument("--levelling", choices=("none", "plane", "rows", "steps"), default="none")
    parser.add_argument("--save-target", metavar="FILE", help="keep what was learned (.npz), to look for it elsewhere")
    parser.add_argument(
        "--target", metavar="FILE", help="look for what was kept, with the workflow, window and levelling of that file"
    )


def _add_search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=int, default=300, metavar="N", help="sites to visit (default 300)")
    parser.add_argument("--batch", type=int, default=10, metavar="N", help="sites at a time (default 10)")
    parser.add_argument(
        "--model",
        choices=("position", "structure"),
        help="whether the search knows the structure of a site, too (default: structure round atoms, else position)",
    )
    parser.add_argument("--kernel", choices=("rbf", "matern52", "rq"), default="matern52", help="default matern52")
    parser.add_argument("--length", type=float, metavar="STEPS", help="correlation length (default: learned, 1 to 20)")
    parser.add_argument("--acquisition", choices=("ei", "ucb", "pi", "uncertainty"), default="ei", help="default ei")
    parser.add_argument("--beta", type=float, default=16.0, metavar="B", help="of UCB (default 16)")
    parser.add_argument("--mover", choices=("scan", "tip", "none"), default="scan", help="what travels (default scan)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default 0)")
    parser.add_argument("--judge", action="store_true", help="compute the whole map afterwards and compare")


def run(args: argparse.Namespace) -> None:
    """Discover, draw and say what was found."""
    from dkl_core.discovery.discover import judged, result_of
    from dkl_core.discovery.targetfile import checked_name, save_target

    _check_target(args)
    kept = None if args.save_target is None else checked_name(args.save_target)
    settings, planted = _settings(args), _planted_atoms(args)
    survey = _survey(args) if planted is None else planted.survey
    folder = common.made_folder(args.out)
    try:
        discovery = _begun(survey, settings, args.target, quiet=args.quiet)
    except KeyboardInterrupt:
        print("stopped before it had learned what to look for; nothing is drawn or written")
        raise SystemExit(INTERRUPTED) from None
    for notice in discovery.notices:
        print(f"note: {notice}")
    if kept is not None:
        print(f"target: {save_target(kept, discovery.target, discovery.settings)}")
    steps, cancelled = _searched(discovery, settings.search.budget, quiet=args.quiet)
    if not steps:
        raise SystemExit(INTERRUPTED)
    result = result_of(discovery, steps[-1], ended="cancelled" if cancelled else "budget")
    whole = None
    if args.judge and not cancelled:
        whole = discovery.target.everywhere(discovery.patches)
        result |= vars(judged(discovery, steps[-1], whole))
        if planted is not None:
            result |= _dopants(discovery, steps[-1], planted)
    result["figures"] = _drawn(discovery, steps, whole, folder)
    _say(result)
    common.write_json(args.json, [result])
    if cancelled:
        raise SystemExit(INTERRUPTED)


def _settings(args: argparse.Namespace) -> DiscoverySettings:
    from dkl_core.discovery.settings import DiscoverySettings

    return DiscoverySettings(
        workflow=args.workflow or ("atoms-rvae" if _is_made(args, PLANTED_ATOMS) else "fft-pca"),
        window=args.window,
        stride=args.stride,
        components=args.components,
        component=args.component,
        starts=args.starts,
        levelling=args.levelling,
        search=_search_settings(args),
        seed=args.seed,
        finder=args.finder,
        weights=args.weights,
    )


def _check_target(args: argparse.Namespace) -> None:
    given = [name for name in _OF_TARGET if getattr(args, name) is not None]
    if args.target is not None and given:
        raise InputError(f"--{given[0]} is part of the saved target; leave it out, or leave --target out")


def _search_settings(args: argparse.Namespace) -> SearchSettings:
    from dkl_core.discovery.pathfinder import PathSettings, Travel
    from dkl_core.discovery.process import ProcessSettings
    from dkl_core.discovery.search import SearchSettings

    if args.seed < 0:
        raise InputError(f"--seed is {args.seed}; give 0 or a positive whole number")
    path = None if args.mover == "none" else PathSettings(Travel(args.mover))
    return SearchSettings(
        process=ProcessSettings(args.kernel, args.length),
        model=args.model,
        acquisition=AcquisitionSettings(args.acquisition, beta=ConstantBeta(args.beta)),
        batch=args.batch,
        budget=args.budget,
        path=path,
        seed=args.seed,
    )


def _survey(args: argparse.Namespace) -> SurveyImage:
    from dkl_core.discovery.planted import planted_image
    from dkl_core.survey import SurveyImage

    if _is_made(args, "planted"):
        return SurveyImage(planted_image(seed=args.seed).image)
    return common.image_of(Path(args.file), args.image, args.frame_nm)


def _is_made(args: argparse.Namespace, name: str) -> bool:
    """Whether an example is asked for; a file of the same name comes first."""
    return str(args.file) == name and not Path(name).exists()


def _planted_atoms(args: argparse.Namespace) -> PlantedAtoms | None:
    from dkl_core.discovery.planted_atoms import planted_atoms

    return planted_atoms("twisted_bilayer", seed=args.seed) if _is_made(args, PLANTED_ATOMS) else None


def _dopants(discovery: Discovery, step: SearchStep, planted: PlantedAtoms) -> dict[str, int]:
    """How many of the foreign atoms were visited, among the first and among all."""
    from dkl_core.discovery.planted_atoms import dopants_among

    places = discovery.places[step.visited]
    first, every = (int(dopants_among(planted, part).sum()) for part in (places[:_FIRST], places))
    return {"dopants": len(planted.dopants), "dopants_among_first_40": first, "dopants_visited": every}


def _begun(survey: SurveyImage, settings: DiscoverySettings, target: str | None, *, quiet: bool) -> Discovery:
    from tqdm import tqdm

    from dkl_core.discovery.discover import Discovery
    from dkl_core.discovery.targetfile import discovery_with

    with ExitStack() as bars:

        def shown(name: str) -> Callable[[float], None]:
            made: list[Any] = []

            def told(share: float) -> None:
                # A bar that begins before its work would count the time of what comes first.
                if not made:
                    made.append(bars.enter_context(tqdm(total=100, unit="%", desc=name, disable=quiet)))
                made[0].update(round(100 * share) - made[0].n)
                if share >= 1:
                    made[0].close()

            return told

        finding = shown("finding atoms")
        if settings.on_atoms:
            finding(0.0)
        if target is not None:
            return discovery_with(target, survey, settings, finding)
        return Discovery.begin(survey, settings, shown("learning"), finding)


def _searched(discovery: Discovery, budget: int, *, quiet: bool) -> tuple[list[SearchStep], bool]:
    """All steps, and whether the user stopped it."""
    from tqdm import tqdm

    steps: list[SearchStep] = []
    with tqdm(total=min(budget, len(discovery.patches)), unit="site", desc="searching", disable=quiet) as bar:
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


def _say(result: dict[str, Any]) -> None:
    length = result["correlation_length_px"]
    print(
        f"{result['workflow']}: component {result['component']} (by {result['chosen_by']}), "
        f"{result['visited']} of {result['n_sites']} sites visited in {result['seconds']:.1f} s, "
        f"correlation length {length:.0f} px, path {result['path_px']:.0f} px"
    )
    if "atoms" in result:
        print(
            f"{result['atoms']} atoms ({result['found_by']}), {result['atom_spacing_px']:.1f} px apart; "
            f"{result['atoms_left_out']} of them too near the border for a window of {result['window_px']} px"
        )
    print(f"verdict: {result['verdict']}")
    best = ", ".join(f"({row:.4g}, {col:.4g})" for row, col in result["best_sites"][:5])
    print(f"strongest at (row, column): {best}")
    if "found" in result:
        print(
            f"judged by the whole map: {result['found']:.1%} of the feature found ({result['feature']:.1%} of the "
            f"sites), {result['wrong']:.1%} of what is shown is none, SSIM {result['similarity']:.2f}"
        )
    if "dopants" in result:
        print(
            f"{result['dopants_visited']} of {result['dopants']} foreign atoms visited, "
            f"{result['dopants_among_first_40']} of them among the first {_FIRST} sites"
        )
    print(f"figures: {', '.join(result['figures'])}")
