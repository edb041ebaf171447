"""How much position, linear structure and depth each deserve: cross-fitting and stacking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from dkl_core.surrogate.expert import Bench, Expert, HeldOut, Observations
from dkl_core.surrogate.threads import side_by_side
from dkl_core.survey import FloatArray

_LEAST_TRAINING = 12
_LEAST_HELD_OUT = 4
_LEAST_WEIGHT = 0.05
_LEAST_EXPLAINED = 0.1


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

    @property
    def telling_share(self) -> float | None:
        """structure_share where it means something; None if not judged, or if next to nothing is explained to share."""
        told = np.isfinite(self.structure_share) and self.r2 >= _LEAST_EXPLAINED
        return self.structure_share if told else None


@dataclass
class _Evidence:
    """Held-out predictions of the competing models, collected fold by fold."""

    target: dict[int, FloatArray] = field(default_factory=dict)
    predicted: dict[tuple[str, int], HeldOut] = field(default_factory=dict)

    def targets(self) -> FloatArray:
        return np.concatenate([self.target[fold] for fold in sorted(self.target)])

    def means(self, name: str) -> FloatArray:
        return np.concatenate([self.predicted[name, fold].mean for fold in sorted(self.target)])

    def densities(self, name: str) -> FloatArray:
        return np.concatenate([self.predicted[name, fold].log_density for fold in sorted(self.target)])


def _cross_fit(
    evidence: _Evidence, key: tuple[str, int], expert: Expert, train: Observations, held: Observations, iterations: int
) -> None:
    if key[0] == "deep":
        evidence.predicted[key] = expert.train_until_worse(train, iterations, held)
        return
    # These few parameters move little between refits, and nothing is predicted from them but the evidence.
    expert.train(train, max(1, iterations // 2))
    evidence.predicted[key] = expert.predict_held_out(expert.vector, train, held)


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
        judged = range(settings.members if settings.folds else 0)
        self._fold_linear = [Expert(bench, blocks) for _ in judged] if self.linear is not None else []
        self._has_structure = len(placed) < len(blocks) or bool(self.networks)
        self._fold_position = [Expert(bench, placed) for _ in judged] if placed and self._has_structure else []
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
        count, folds = len(data.indices), self.bench.settings.folds
        used = _drawn(count, self.bench.settings.fit_limit, self.bench.settings.seed)
        tasks: list[Callable[[], None]] = []
        if self.linear is not None:
            tasks.append(partial(self.linear.train, data.part(used), iterations))
        held_out = int(used.sum()) // max(folds, 1)
        judges = folds > 0 and held_out >= _LEAST_HELD_OUT and used.sum() - held_out >= _LEAST_TRAINING
        if self.linear is None and not judges:
            tasks += [partial(network.train, data.part(used), iterations) for network in self.networks]
        evidence = _Evidence()
        if judges:
            tasks += self._cross_fits(data, used, iterations, evidence)
        side_by_side(tasks)
        if judges:
            self.judgement = self._judge(evidence)

    def _cross_fits(
        self, data: Observations, used: NDArray[np.bool_], iterations: int, evidence: _Evidence
    ) -> list[Callable[[], None]]:
        """Tasks that train on all folds but one and leave the predictions of that one as evidence."""
        # A measurement keeps its fold for ever: a network never learns from what it was or will be judged by.
        place = np.arange(len(used)) % self.bench.settings.folds
        tasks: list[Callable[[], None]] = []
        for m in range(self.bench.settings.members):
            held, train = data.part(used & (place == m)), data.part(used & (place != m))
            evidence.target[m] = held.target.cpu().numpy()
            for name, group in (
                ("deep", self.networks),
                ("linear", self._fold_linear),
                ("position", self._fold_position),
            ):
                if group:
                    tasks.append(partial(_cross_fit, evidence, (name, m), group[m], train, held, iterations))
        return tasks

    def _judge(self, evidence: _Evidence) -> Judgement:
        weight = self.judgement.depth_weight
        if self.linear is not None and self.networks:
            weight = stacking_weight(evidence.densities("linear"), evidence.densities("deep"))
        deep = evidence.means("deep") if self.networks else 0.0
        mean = deep if self.linear is None else (1 - weight) * evidence.means("linear") + weight * deep
        target = evidence.targets()
        error = float(((target - mean) ** 2).sum())
        total = float(((target - target.mean()) ** 2).sum())
        share = float(self._has_structure)
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
        experts = self._named()
        vectors = {name: np.array(arrays[f"vector_{name}"], dtype=np.float64) for name in experts}
        for name, expert in experts.items():
            if vectors[name].shape != expert.vector.shape:
                raise ValueError(f"{name} has {expert.vector.size} parameters, the saved state {vectors[name].size}")
        depth_weight, structure_share, r2 = (float(x) for x in arrays["judgement"])
        self.judgement = Judgement(depth_weight, structure_share, r2)
        for name, expert in experts.items():
            expert.vector = vectors[name]

    def _named(self) -> dict[str, Expert]:
        named = {"linear": self.linear} if self.linear is not None else {}
        for kind, group in (("deep", self.networks), ("linear", self._fold_linear), ("position", self._fold_position)):
            named |= {f"{kind}_fold{m}": expert for m, expert in enumerate(group)}
        return named


def _drawn(count: int, limit: int, seed: int) -> NDArray[np.bool_]:
    """Which measurements hyper-parameters are learned from: all, or a random part that changes little as they grow."""
    if count <= limit:
        return np.ones(count, dtype=bool)
    ticket = np.random.default_rng(seed).random(count)
    drawn: NDArray[np.bool_] = ticket <= np.partition(ticket, limit - 1)[limit - 1]
    return drawn


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
