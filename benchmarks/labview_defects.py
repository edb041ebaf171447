"""What the emulated VI finds with the drop-in on the simulated STM: one kind of defect, and by zooming in three levels.

    python -m benchmarks.labview_defects find --seeds 20
    python -m benchmarks.labview_defects zoom --seeds 10

`find`: 100 measurements on 50 nm with steps, adsorbates, substitutions and vacancies. The vacancies are wanted (in-gap
ratio). Counted are the measurements on one and the different ones found, against sites drawn at random.

`zoom`: a run in a frame of 250 nm; then `next_scan_coordWeight` of the drop-in says where the frame of 50 nm lies, and
after a run there where that of 10 nm lies. It ends on the right defect when the largest scalar of the last frame was
measured on a vacancy. Beside it stands how many frames of 10 nm hold a vacancy at all, and, as the chance, how often as
many sites at random in such a frame anywhere would meet one.

Decisions are given all the time they need, so that the figures do not depend on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dkl_core.frame import Frame
from dkl_core.sample import SimulatedSurface, StructureSettings, SurfaceSettings
from dkl_core.sample.kinds import defects_at, defects_of
from labview_bridge.emulation.demo import KIND, REALISM, WITHIN_NM, DemoSettings, run_demo
from labview_bridge.emulation.interpreters import interpreters
from labview_bridge.emulation.node import Session
from labview_bridge.emulation.published_vi import PublishedVI, VISettings
from labview_bridge.emulation.samples import SimulatedSample
from labview_bridge.emulation.workplace import Workplace

PATIENT_S = 600.0
LEVELS_NM = (250.0, 50.0, 10.0)
PIXELS, STEP, WINDOW = 512, (5, 10, 10), 20
DRAWS = 4000


def find(args: argparse.Namespace) -> int:
    """Search one kind of defect with each seed."""
    print(
        f"{'seed':>4} {'on a ' + KIND:>14} {'at random':>10} {'different':>10} {'at random':>10} {'model':>6}",
        flush=True,
    )
    rows = []
    for seed in range(args.first, args.first + args.seeds):
        settings = DemoSettings(seed, args.measurements - 1, faults=0.0, wait_s=0.0, deadline_s=PATIENT_S)
        with tempfile.TemporaryDirectory(prefix="labview_find_", ignore_cleanup_errors=True) as folder:
            run = run_demo(settings, Path(folder))
        on_kind, share = int((run.defects[run.visited] >= 0).sum()), float((run.defects >= 0).mean())
        result = run.result()
        row = (on_kind, share * args.measurements, result["found"], result["found_at_random"])
        rows.append(row)
        print(f"{seed:>4} {row[0]:>14} {row[1]:>10.1f} {row[2]:>10} {row[3]:>10.1f} {result['model']:>6}", flush=True)
    means = np.mean(rows, axis=0)
    ratios = means[0] / means[1], means[2] / means[3]
    least = min(row[0] / row[1] for row in rows)
    print(
        f"mean {means[0]:.1f} of {args.measurements} on a {KIND}, {means[1]:.1f} at random: {ratios[0]:.1f} times as "
        f"often (least {least:.1f}); different ones {means[2]:.1f} and {means[3]:.1f}: {ratios[1]:.1f} times as many"
    )
    return 0 if ratios[0] >= 4 else 1


@dataclass(frozen=True)
class Ended:
    """Where a zoom ended.

    Attributes:
        centres_nm: (row, column) of the frames' centres, nm.
        holds: vacancies in the last frame.
        right: whether its largest scalar was measured on one.
    """

    centres_nm: list[tuple[float, float]]
    holds: int
    right: bool


def zoom_once(seed: int, structure: StructureSettings, measurements: int) -> tuple[Ended, float, float]:
    """One zoom; with it the share of frames of 10 nm that hold a vacancy, and the chance to meet one there."""
    surface = SimulatedSurface(
        SurfaceSettings(seed, (LEVELS_NM[0],) * 2, (PIXELS,) * 2, structure=structure, realism=REALISM)
    )
    frame, python = surface.whole, next(iter(interpreters().values()))
    centres = []
    with tempfile.TemporaryDirectory(prefix="labview_zoom_", ignore_cleanup_errors=True) as folder:
        own = {"seed": seed, "levelling": "steps", "first_deadline_s": PATIENT_S}
        place = Workplace.made(Path(folder), own, deadline_s=PATIENT_S)
        try:
            with place.session(python) as session:
                for level, size_nm in enumerate(LEVELS_NM):
                    name = f"LEVEL{level}"
                    vi = _level(session, place, surface, frame, VISettings(name, STEP[level], WINDOW, measurements - 1))
                    centres.append(frame.centre_nm)
                    if size_nm != LEVELS_NM[-1]:
                        frame = _next(session, vi, frame, LEVELS_NM[level + 1])
        finally:
            place.end_worker()
    scalars = [visit.scalar for visit in vi.visits]
    best = vi.visits[int(np.argmax(scalars))]
    spot = frame.to_nm((PIXELS - 1 - best.y_px, best.x_px))
    inside = (np.abs(defects_of(surface, KIND).positions - frame.centre_nm) < frame.size_nm[0] / 2).all(axis=1)
    ended = Ended(centres, int(inside.sum()), bool(defects_at(surface, KIND, spot, WITHIN_NM) >= 0))
    return ended, *_chance(surface, measurements)


def _level(
    session: Session, place: Workplace, surface: SimulatedSurface, frame: Frame, panel: VISettings
) -> PublishedVI:
    vi = PublishedVI(session, place.modules, place.base, SimulatedSample(surface, frame), panel)
    vi.run()
    return vi


def _next(session: Session, vi: PublishedVI, frame: Frame, size_nm: float) -> Frame:
    assert vi.files is not None
    given = [
        ("String", vi.files.compilation.name),
        ("I32", PIXELS),
        ("DBL", frame.size_nm[1]),
        ("DBL", size_nm),
    ]
    answer = session.call(vi.modules / "next_DKL_coordinate.py", "next_scan_coordWeight", given, "[DBL]")
    x, y = answer.value
    # From the lower left corner of the old frame to the sample's own rows and columns.
    row, col = frame.corner_nm[0] + frame.size_nm[0] - y, frame.corner_nm[1] + x
    half, (height, width) = size_nm / 2, frame.size_nm
    row = float(np.clip(row, frame.corner_nm[0] + half, frame.corner_nm[0] + height - half))
    col = float(np.clip(col, frame.corner_nm[1] + half, frame.corner_nm[1] + width - half))
    return Frame.centred((row, col), (size_nm, size_nm), (PIXELS, PIXELS), frame)


def _chance(surface: SimulatedSurface, measurements: int) -> tuple[float, float]:
    rng = np.random.default_rng([surface.settings.seed, 9])
    half, extent = LEVELS_NM[-1] / 2, LEVELS_NM[0]
    centres = rng.uniform(half, extent - half, (DRAWS, 2))
    positions = defects_of(surface, KIND).positions
    holding = np.array([(np.abs(positions - centre) < half).all(axis=1).any() for centre in centres])
    points = centres[:, None] + rng.uniform(-half, half, (DRAWS, measurements, 2))
    met = (defects_at(surface, KIND, points, WITHIN_NM) >= 0).any(axis=1)
    return float(holding.mean()), float(met.mean())


def zoom(args: argparse.Namespace) -> int:
    """Zoom with each seed."""
    structure = StructureSettings(vacancies_per_nm2=args.density)
    rights, chances = [], []
    for seed in range(args.first, args.first + args.seeds):
        ended, holding, met = zoom_once(seed, structure, args.measurements)
        rights.append(ended.right)
        chances.append(met)
        way = " > ".join(f"({row:.0f}, {col:.0f})" for row, col in ended.centres_nm)
        print(
            f"seed {seed}: {way} nm; {ended.holds} vacancies in the last frame, its best spectrum "
            f"{'on one' if ended.right else 'on none'} (share of such frames that hold one {holding:.2f}, "
            f"met at random {met:.2f})",
            flush=True,
        )
    print(f"right defect: {sum(rights)} of {len(rights)}; at random {sum(chances):.1f}")
    return 0 if sum(rights) >= 0.8 * len(rights) else 1


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function, seeds in (("find", find, 20), ("zoom", zoom, 10)):
        command = commands.add_parser(name)
        command.add_argument("--seeds", type=int, default=seeds)
        command.add_argument("--first", type=int, default=0, help="first seed")
        command.add_argument("--measurements", type=int, default=100, help="in each frame")
        command.add_argument("--density", type=float, default=0.002, help="vacancies per nm² (zoom)")
        command.set_defaults(function=function)
    args = parser.parse_args()
    status: int = args.function(args)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
