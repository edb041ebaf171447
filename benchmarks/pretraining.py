"""Whether learning from all patches first saves measurements: `python -m benchmarks.pretraining FOLDER`.

On each data set and with each seed the default model and the default with each pre-training replay one experiment of
100 measurements as `dkl replay` does, and learn from 50 and from 100 random measurements as `dkl evaluate` does. One
line per data set, model and seed goes to `results/pretraining.csv`; a run that is started again goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from scipy.stats import wilcoxon

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta
from dkl_core.datasets import load_recorded
from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, StopRules
from dkl_core.patches import PatchSettings
from dkl_core.replay import ReplayProblem, default_patches, evaluate_model, replay, replay_problem
from dkl_core.surrogate.features import Features, compute_features
from dkl_core.surrogate.settings import SurrogateSettings, model_settings

RESULTS = Path(__file__).parent / "results"
SETS = (
    ("stm_runs/Figure3_large_area_250nm.hf5", None, None),
    ("stm_runs/Figure4_Adsorbate_defect_10nm.hf5", None, None),
    ("stm_runs/Figure5_Substitution_defect_5nm.hf5", None, None),
    ("stm_runs/Figure7_DKL1_200nm.hf5", None, None),
    ("measured/stm_sts_grid30.npz", None, "scalar_I_pos"),
    ("measured/stm_fese_didv224.npz", None, "scalar_dIdV_LIY"),
    ("measured/stem_fesi_dpc128.npz", None, "scalar_dpc_mag"),
    ("measured/eels_signal_si25.npz", None, "scalar_ratio"),
    ("measured/pifm_factin_single32.npz", None, "scalar_amideI_1600_1700"),
    ("measured/pfm_be_spectrum32.npz", None, "scalar_f_res"),
    ("measured/pfm_PZT_final0001_128.npz", None, "scalar_deflection"),
    ("measured/pfm_PTO_Funakubo0006_128.npz", None, "scalar_amp"),
    ("simulated/graphene_si_30mrad.npz", "haadf", "com_mag"),
    ("simulated/nbed_graphene_strain_5mrad.npz", "haadf", "com_mag"),
)
MODELS = (
    "dkl",
    "dkl-pca-finetuned",
    "dkl-autoencoder",
    "dkl-autoencoder-finetuned",
    "dkl-invariant",
    "dkl-invariant-finetuned",
)
FIELDS = ("data", "model", "seed", "hits", "hit_rate", "r2_50", "nlpd_50", "r2_100", "nlpd_100", "pretrain_s", "s")
SEEDING = 20
SHARE = 0.8
SCORES = FIELDS[4:9]
FIGURES = (
    ("Gain in hit rate of the 80 measurements after 20 seeds", "hit_rate"),
    ("Measurements saved on the way to 80 % of the hits that dkl has after 100", ""),
    ("Gain in R² after 50 random measurements", "r2_50"),
    ("Gain in R² after 100", "r2_100"),
    ("Gain in NLPD after 50, nats", "nlpd_50"),
    ("Gain in NLPD after 100, nats", "nlpd_100"),
)
FloatArray = NDArray[np.float64]
Row = Mapping[str, str]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Campaign:
    """What is run and where its lines go."""

    sets: tuple[tuple[str, str | None, str | None], ...]
    seeds: int
    budget: int
    file: Path


def main() -> None:
    """Run what is missing, then print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where the folders stm_runs, measured and simulated are")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two small data sets, one seed, 30 measurements")
    parser.add_argument("--table", action="store_true", help="only print what was measured so far")
    given = parser.parse_args()
    torch.set_num_threads(1)
    campaign = Campaign(SETS, given.seeds, 100, RESULTS / "pretraining.csv")
    if given.quick:
        campaign = Campaign((SETS[4], SETS[9]), 1, 30, RESULTS / "pretraining_quick.csv")
    if not given.table:
        run(Path(given.folder), campaign)
    print(table(list(read(campaign.file))))


def run(folder: Path, campaign: Campaign) -> None:
    """Measure what the file does not hold yet, all data sets with the first seed before the second."""
    known = {(row["data"], row["model"], row["seed"]) for row in read(campaign.file)}
    for seed in range(campaign.seeds):
        for file, image, target in campaign.sets:
            name = Path(file).stem
            missing = [model for model in MODELS if (name, model, str(seed)) not in known]
            if missing:
                data = load_recorded(folder / file, image, target, raw=False)
                problem = replay_problem(data, default_patches(data))
                for model in missing:
                    write(campaign.file, {"data": name, **measured(problem, model, seed, campaign.budget)})


def measured(problem: ReplayProblem, model: str, seed: int, budget: int) -> dict[str, object]:
    """One model on one data set with one seed: the replay and both evaluations."""
    settings = replace(model_settings(model), seed=seed)
    start = time.perf_counter()
    features = compute_features(problem.patches, settings)
    trained = time.perf_counter()
    planned = experiment(problem, settings, seed, budget)
    replayed = replay(problem, planned, experiment=fresh(problem, planned, features))
    line: dict[str, object] = {
        "model": model,
        "seed": seed,
        "hits": " ".join(str(at + 1) for at in np.flatnonzero(replayed.hits)),
        "hit_rate": f"{replayed.hit_rate:.4f}",
        "pretrain_s": f"{trained - start:.1f}",
    }
    for count in (50, 100):
        fit = evaluate_model(problem, model, settings, 0, seed, min(count, budget), features).fit
        line |= {f"r2_{count}": f"{fit.r2:.4f}", f"nlpd_{count}": f"{fit.nlpd:.4f}"}
    return line | {"s": f"{time.perf_counter() - trained:.1f}"}


def experiment(problem: ReplayProblem, surrogate: SurrogateSettings, seed: int, budget: int) -> ExperimentSettings:
    """The settings of `dkl replay`."""
    return ExperimentSettings(
        patches=PatchSettings(problem.patches.window, problem.patches.sites.stride),
        surrogate=surrogate,
        acquisition=AcquisitionSettings("ucb", beta=AnnealedBeta(offset=SEEDING)),
        seeds=SeedSettings(SEEDING),
        stop=StopRules(budget),
        seed=seed,
    )


def fresh(problem: ReplayProblem, settings: ExperimentSettings, features: Features) -> Experiment:
    """An experiment whose encoder is trained already."""
    return Experiment(problem.survey, settings, patches=problem.patches, features=features)


def read(file: Path) -> Iterator[Row]:
    """The lines measured so far."""
    if file.exists():
        with file.open(newline="", encoding="utf-8") as lines:
            yield from csv.DictReader(lines)


def write(file: Path, line: Mapping[str, object]) -> None:
    """Add a line."""
    file.parent.mkdir(exist_ok=True)
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, FIELDS)
        if is_new:
            writer.writeheader()
        writer.writerow(line)
    print(*(line[field] for field in FIELDS if field != "hits"), flush=True)


def needed(row: Row, default: Row) -> int:
    """Measurements until a model has 80 % of the hits that the default has at the end; 100 if it never has."""
    wanted = int(np.ceil(SHARE * len(default["hits"].split())))
    own = row["hits"].split()
    return int(own[wanted - 1]) if 0 < wanted <= len(own) else 100


def gains(row: Row, default: Row) -> FloatArray:
    """What a model gains on the default with the same seed, as `FIGURES` names it, positive where it is better."""
    saved = needed(default, default) - needed(row, default)
    better = {name: float(row[name]) - float(default[name]) for name in SCORES}
    return np.array(
        [better["hit_rate"], saved, better["r2_50"], better["r2_100"], -better["nlpd_50"], -better["nlpd_100"]]
    )


def told(sample: FloatArray) -> str:
    """Whether paired gains (n,) differ from nothing at the level of 95 %: ▲ helps, ▼ hurts."""
    if len(sample) < 3 or sample.std() == 0:
        return ""
    reach = student.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    if abs(sample.mean()) <= reach:
        return ""
    return " ▲" if sample.mean() > 0 else " ▼"


def table(rows: list[Row]) -> str:
    """The comparison as Markdown: a table per figure of merit, mean gain and its spread over the seeds."""
    by_key: dict[Key, Row] = {(row["data"], row["model"], row["seed"]): row for row in rows}
    paired: dict[tuple[str, str], FloatArray] = {}
    for name in (Path(file).stem for file, *_ in SETS):
        for model in MODELS[1:]:
            pairs = [
                gains(row, by_key[name, "dkl", row["seed"]])
                for row in rows
                if (row["data"], row["model"]) == (name, model) and (name, "dkl", row["seed"]) in by_key
            ]
            if pairs:
                paired[name, model] = np.array(pairs)
    return "\n\n".join(_one_table(at, rows, paired) for at in range(len(FIGURES)))


def _one_table(at: int, rows: list[Row], paired: Mapping[tuple[str, str], FloatArray]) -> str:
    title, column = FIGURES[at]
    digits = 3 if column else 0
    models = [model.removeprefix("dkl-") for model in MODELS[1:]]
    lines = [f"{title}:", "", "| data | seeds | dkl | " + " | ".join(models) + " |", "|---" * (len(models) + 3) + "|"]
    for name in dict.fromkeys(name for name, _ in paired):
        own = [row for row in rows if row["data"] == name and row["model"] == "dkl"]
        value = np.mean([float(row[column]) if column else needed(row, row) for row in own])
        cells = [_cell(paired[name, model][:, at], digits) if (name, model) in paired else "" for model in MODELS[1:]]
        shown = f"{value:.2f}" if column else f"{value:.0f}"
        lines.append(f"| {name} | {len(own)} | {shown} | " + " | ".join(cells) + " |")
    pooled = [
        _pooled(np.array([sample[:, at].mean() for (_, model), sample in paired.items() if model == wanted]), digits)
        for wanted in MODELS[1:]
    ]
    lines.append("| all: median, sets better : worse | | | " + " | ".join(pooled) + " |")
    return "\n".join(lines)


def _pooled(means: FloatArray, digits: int) -> str:
    """Means of the data sets, some of which have scores far off all others: only their order is judged (Wilcoxon)."""
    better, worse = int((means > 0).sum()), int((means < 0).sum())
    sign = ""
    if better + worse >= 6 and wilcoxon(means[means != 0]).pvalue < 0.05:
        sign = " ▲" if np.median(means) > 0 else " ▼"
    return f"{_signed(np.median(means), digits)}, {better} : {worse}{sign}"


def _cell(sample: FloatArray, digits: int) -> str:
    if not len(sample):
        return ""
    spread = f" ± {sample.std(ddof=1):.{digits}f}" if len(sample) > 1 else ""
    return f"{_signed(sample.mean(), digits)}{spread}{told(sample)}"


def _signed(value: np.floating, digits: int) -> str:
    return f"{round(float(value), digits) + 0.0:+.{digits}f}"


if __name__ == "__main__":
    main()
