"""How soon a search over atoms meets all foreign ones: `python -m benchmarks.discovery_atoms [--recorded FILE]`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dkl_core.discovery import Discovery, DiscoverySettings, SearchSettings
from dkl_core.discovery.atompatches import AtomPatches
from dkl_core.discovery.planted_atoms import (
    ELECTRONS_PER_PX,
    PlantedAtoms,
    dopants_among,
    known_atoms,
    planted_atoms,
    with_shot_noise,
)
from dkl_core.survey import SurveyImage

RESULTS = Path(__file__).parent / "results"
FIRST = 40
TWISTS_DEG = (3.0, 6.0, 13.2, 21.8, 27.8)


def samples(recorded: Path | None, seeds: list[int], electrons: float) -> Iterator[tuple[str, PlantedAtoms]]:
    """Name and truth of every image; those of a file without and with shot noise."""
    if recorded is not None:
        clean = from_file(recorded)
        yield f"{recorded.stem}, clean", clean
        for seed in seeds:
            yield f"{recorded.stem}, {electrons:g} e/px, noise {seed}", with_shot_noise(clean, electrons, seed)
    for seed in seeds:
        image = planted_atoms(field_nm=6.0, dopants=9, electrons=electrons, seed=seed)
        yield f"graphene, seed {seed}", image
        for number, twist in enumerate(TWISTS_DEG):
            size = 4.5 + 0.75 * number
            image = planted_atoms(
                "twisted_bilayer",
                field_nm=size,
                dopants=round(0.25 * size**2),
                electrons=electrons,
                twist_deg=twist,
                rotation_deg=7.0 * number,
                seed=seed + number,
            )
            yield f"bilayer {twist:g} deg, seed {seed + number}", image


def from_file(path: Path) -> PlantedAtoms:
    """The annular dark-field image of a simulated data set, with its atoms."""
    with np.load(path, allow_pickle=False) as data:
        step = float(data["sampling_A"])
        origin = np.array([float(data["x0_A"]), float(data["y0_A"])])
        places = (np.asarray(data["atoms_xyz"], dtype=float)[:, :2] - origin)[:, ::-1] / step
        survey = SurveyImage(data["haadf"], (step / 10, step / 10))
        return known_atoms(survey, places, data["atoms_Z"])


def measured(name: str, planted: PlantedAtoms, workflow: str, finder: str, model: str) -> dict[str, object]:
    """One discovery, and which foreign atoms it visited."""
    settings = DiscoverySettings(
        workflow,
        finder=finder,  # type: ignore[arg-type]
        search=SearchSettings(budget=101, model=model),  # type: ignore[arg-type]
    )
    start, busy, ready = time.perf_counter(), time.process_time(), [0.0]

    def told(share: float) -> None:
        ready[0] = time.perf_counter() - start if share >= 1 else ready[0]

    discovery = Discovery.begin(planted.survey, settings, finding=told)
    learned, learned_cpu = time.perf_counter() - start, time.process_time() - busy
    *_, last = discovery.steps()
    visited = discovery.places[last.visited]
    met = dopants_among(planted, visited)
    row: dict[str, object] = {
        "sample": name,
        "workflow": workflow,
        "model": model,
        "atoms": len(discovery.patches),
        "dopants": len(planted.dopants),
        "dopants_found_by_finder": int(dopants_among(planted, discovery.places).sum()),
        "among_first_40": int(dopants_among(planted, visited[:FIRST]).sum()),
        "among_101": int(met.sum()),
        "visits_to_all": visits_to_all(planted, visited),
        "among_40_brightest": int(dopants_among(planted, discovery.places[brightest(discovery)]).sum()),
        "expected_at_random": len(planted.dopants) * min(1.0, FIRST / len(discovery.patches)),
        "score": max(discovery.target.choice.scores),
        "verdict": discovery.target.decomposition.verdict.text(discovery.target.choice.component),
        "finding_s": ready[0],
        "learning_s": learned - ready[0],
        "finding_and_learning_cpu_s": learned_cpu,
        "search_s": last.seconds,
    }
    print(
        f"{name:40s} {workflow:12s} {model:9s} {row['atoms']:5d} atoms: {row['among_first_40']:2d} of "
        f"{row['dopants']:2d} dopants among the first {FIRST} (random {row['expected_at_random']:.1f}, the brightest "
        f"{row['among_40_brightest']}; the finder has "
        f"{row['dopants_found_by_finder']}), all after {row['visits_to_all']}; finding {row['finding_s']:.1f} s, "
        f"learning {row['learning_s']:.0f} s, search {row['search_s']:.1f} s; "
        f"{str(row['verdict']).partition(':')[0]}",
        flush=True,
    )
    return row


def brightest(discovery: Discovery) -> NDArray[np.int64]:
    """The atoms of highest peaks: what sorting by brightness would visit first."""
    assert isinstance(discovery.patches, AtomPatches)
    order: NDArray[np.int64] = np.argsort(-discovery.patches.intensities, kind="stable")[:FIRST]
    return order


def visits_to_all(planted: PlantedAtoms, visited: np.ndarray) -> int | None:
    """After how many visits all foreign atoms were met; None if they were not."""
    for count in range(1, len(visited) + 1):
        if dopants_among(planted, visited[:count]).all():
            return count
    return None


def main() -> None:
    """Measure, print, and write `results/discovery_atoms.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorded", type=Path, help="archive of a simulated data set with `haadf` and its atoms")
    parser.add_argument("--workflows", default="atoms-pca,atoms-rvae", help="separated by commas")
    parser.add_argument("--models", default="structure", help="structure, position or both, separated by commas")
    parser.add_argument("--seeds", default="11,12", help="of the samples, separated by commas")
    parser.add_argument("--finder", choices=("network", "classical"), default="network")
    parser.add_argument("--electrons", type=float, default=ELECTRONS_PER_PX, help="of the beam in each px")
    given = parser.parse_args()
    rows = []
    seeds = [int(text) for text in given.seeds.split(",")]
    for name, planted in samples(given.recorded, seeds, given.electrons):
        for workflow in given.workflows.split(","):
            rows += [measured(name, planted, workflow, given.finder, model) for model in given.models.split(",")]
    for workflow in given.workflows.split(","):
        chosen = [row for row in rows if row["workflow"] == workflow and row["model"] == "structure"]
        whole = sum(row["among_first_40"] == row["dopants"] for row in chosen)
        print(f"{workflow}: all dopants among the first {FIRST} in {whole} of {len(chosen)} images")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "discovery_atoms.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
