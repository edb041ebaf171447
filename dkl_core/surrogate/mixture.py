"""How much position, linear structure and depth each deserve: cross-fitting and stacking."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from dkl_core.surrogate.expert import Bench, Expert, Observations, log_density
from dkl_core.survey import FloatArray

_LEAST_TRAINING = 12
_LEAST_HELD_OUT = 4
_LEAST_WEIGHT = 0.05


@dataclass(frozen=True)
class Judgement:
    """What held-out measurements say about the model.

    Attributes:
        depth_weight: weight of the networks in the mixture, 0 to 1.
        structure_share: share of the explained variance that is lost without structure, 0 to 1; NaN if not judged.
        r2: coefficient of determination of the whole model on held-out measurements; NaN if not judged.
    """

    depth_weight: float = 0.0
    structure_share: float = float("nan")
    r2: float = float("nan")


@dataclass
class _Evidence:
    """Held-out predictions of the competing models, collected fold by fold."""

    target: list[FloatArray] = field(default_factory=list)
    mean: dict[str, list[FloatArray]] = field(default_factory=dict)
    log_density: dict[str, list[FloatArray]] = field(default_factory=dict)

    def add(self, name: str, expert: Expert, train: Observations, held: Observations) -> None:
        mean, variance = expert.predict_held_out(expert.vector, train, held)
        self.mean.setdefault(name, []).append(mean.cpu().numpy())
        self.log_density.setdefault(name, []).append(log_density(held.target, mean, variance).cpu().numpy())

    def means(self, name: str) -> FloatArray:
        return np.concatenate(self.mean[name])

    def densities(self, name: str) -> FloatArray:
        return np.concatenate(self.log_density[name])


class Mixture:
    """The experts of a surrogate: one without a network, networks that each miss a part of the measurements.

    `linear` learns from everything. Network m is trained without the measurements of fold m and stopped when it no
    longer predicts them better (cross-fitting), and the weight of the networks against `linear` is the one under which
    those held-out measurements are most probable (stacking; Yao et al., Bayesian Analysis 13, 917 (2018)). Depth thus
    follows the evidence, and position alone is fitted beside it to tell what structure adds.
    """

    def __init__(self, bench: Bench) -> None:
        settings = bench.settings
        blocks = bench.features.blocks
        placed = tuple(block for block in blocks if not block.structural)
        self.bench = bench
        self.linear = Expert(bench, blocks) if settings.depth != "always" else None
        self.networks = (
            [Expert(bench, blocks, settings.seed + 1 + m) for m in range(settings.members)]
            if settings.depth != "never"
            else []
        )
        judged = range(max(settings.members, 2) if settings.folds else 0)
        self._fold_linear = [Expert(bench, blocks) for _ in judged] if self.linear is not None else []
        self._fold_position = [Expert(bench, placed) for _ in judged] if placed and len(placed) < len(blocks) else []
        if settings.depth == "always" and placed:
            self._fold_position = [Expert(bench, placed) for _ in judged]
        self.judgement = Judgement(float(settings.depth == "always"))

    @property
    def experts(self) -> list[tuple[float, Expert]]:
        """The experts that count, with their weights (which add up to 1)."""
        deep = self.judgement.depth_weight
        experts = [] if self.linear is None else [(1 - deep, self.linear)]
        if deep > 0:
            experts += [(deep / len(self.networks), network) for network in self.networks]
        return experts

    def fit(self, data: Observations, iterations: int) -> None:
        """Train every expert from where it stands and weigh them anew."""
        if self.linear is not None:
            self.linear.train(data, iterations)
        folds = self.bench.settings.folds
        held_out = len(data.indices) // max(folds, 1)
        if folds and held_out >= _LEAST_HELD_OUT and len(data.indices) - held_out >= _LEAST_TRAINING:
            self._cross_fit(data, iterations, folds)
        elif self.linear is None:
            for network in self.networks:
                network.train(data, iterations)

    def _cross_fit(self, data: Observations, iterations: int, folds: int) -> None:
        evidence = _Evidence()
        place = np.arange(len(data.indices)) % folds
        for m in range(max(len(self.networks), len(self._fold_linear), len(self._fold_position))):
            held, train = data.part(place == m), data.part(place != m)
            evidence.target.append(held.target.cpu().numpy())
            for name, group in (("linear", self._fold_linear), ("position", self._fold_position)):
                if group:
                    group[m].train(train, iterations)
                    evidence.add(name, group[m], train, held)
            if m < len(self.networks):
                self.networks[m].train(train, iterations, held)
                evidence.add("deep", self.networks[m], train, held)
        self.judgement = self._judge(evidence)

    def _judge(self, evidence: _Evidence) -> Judgement:
        weight = self.judgement.depth_weight
        if self.linear is not None and self.networks:
            weight = stacking_weight(evidence.densities("linear"), evidence.densities("deep"))
        deep = evidence.means("deep") if self.networks else 0.0
        mean = deep if self.linear is None else (1 - weight) * evidence.means("linear") + weight * deep
        target = np.concatenate(evidence.target)
        error = float(((target - mean) ** 2).sum())
        total = float(((target - target.mean()) ** 2).sum())
        share = float(any(block.structural for block in self.bench.features.blocks) or self.linear is None)
        if self._fold_position:
            without = float(((target - evidence.means("position")) ** 2).sum())
            share = float(np.clip((min(without, total) - error) / (total - error), 0, 1)) if total > error else 0.0
        return Judgement(weight, share, 1 - error / total if total > 0 else float("nan"))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Everything that a refit or a prediction starts from."""
        judged = self.judgement
        state = {f"vector_{name}": expert.vector for name, expert in self._named().items()}
        return state | {"judgement": np.array([judged.depth_weight, judged.structure_share, judged.r2])}

    def restore(self, arrays: dict[str, NDArray[np.float64]]) -> None:
        """Put back what `arrays` gave.

        Raises:
            KeyError, ValueError: the arrays belong to another model.
        """
        for name, expert in self._named().items():
            vector = np.asarray(arrays[f"vector_{name}"], dtype=np.float64)
            if vector.shape != expert.vector.shape:
                raise ValueError(f"{name} has {expert.vector.size} parameters, the saved state {vector.size}")
            expert.vector = vector.copy()
        self.judgement = Judgement(*(float(x) for x in arrays["judgement"]))

    def _named(self) -> dict[str, Expert]:
        named = {"linear": self.linear} if self.linear is not None else {}
        for kind, group in (("deep", self.networks), ("linear", self._fold_linear), ("position", self._fold_position)):
            named |= {f"{kind}_fold{m}": expert for m, expert in enumerate(group)}
        return named


def stacking_weight(linear: FloatArray, deep: FloatArray) -> float:
    """Weight of the second of two models under which held-out measurements are most probable.

    Args:
        linear: log predictive densities of the first model (n,).
        deep: those of the second (n,).

    Returns:
        0 to 1; a weak prior keeps some of the first model, and below 0.05 the second is dropped.
    """
    top = np.maximum(linear, deep)
    first, second = np.exp(linear - top), np.exp(deep - top)
    weights = np.linspace(0, 0.99, 100)
    evidence = np.log((1 - weights)[:, None] * first + weights[:, None] * second + 1e-300).sum(axis=1)
    best = float(weights[np.argmax(evidence + 0.5 * np.log(1 - weights))])
    return best if best >= _LEAST_WEIGHT else 0.0


def observations(
    indices: NDArray[np.int64], target: FloatArray, extra_noise: FloatArray, device: torch.device
) -> Observations:
    """Arrays as observations on a device."""
    return Observations(
        torch.as_tensor(indices, dtype=torch.long, device=device),
        torch.as_tensor(target, dtype=torch.float64, device=device),
        torch.as_tensor(extra_noise, dtype=torch.float64, device=device),
    )
