"""Experiments that are driven by what is unusual in the survey image, while the host measures what it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import DataFileError, InputError
from dkl_core.measurement import Scalar
from dkl_core.patches import Patches, PatchSettings, Sites, make_patches
from dkl_core.survey import FloatArray, SurveyImage

if TYPE_CHECKING:
    from dkl_core.discovery.discover import Discovery
    from dkl_core.discovery.settings import DiscoverySettings
    from dkl_core.discovery.target import StructuralTarget

EVENT = "structure"
WORKFLOWS = tuple(f"{left}-{right}" for left in ("fft", "patch", "atoms") for right in ("pca", "nmf", "nfindr", "rvae"))
"""What may drive an experiment: those of structural discovery."""

_FINDERS = ("network", "classical")
_VALUES = "values"

Learned = tuple[dict[str, Any], dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class StructureSettings:
    """What is looked for in the survey image.

    Attributes:
        workflow: one of `WORKFLOWS`.
        window: edge of the window that is described, px; None takes an eighth of the image's shorter edge, 8 to 32, and
            round atoms 2.75 times their distance.
        components: number of components; None takes as many as the image needs. `rvae` always has two.
        component: the one to look for, from 0; None chooses by spatial structure and sparsity.
        starts: how often a decomposition that depends on its start begins anew.
        finder: what finds atoms, `network` or `classical`.
        file: a target that `dkl discover --save-target` wrote is looked for instead, and the rest is not used.
    """

    workflow: str = "fft-pca"
    window: int | None = None
    components: int | None = None
    component: int | None = None
    starts: int = 3
    finder: str = "network"
    file: str | None = None

    def __post_init__(self) -> None:
        if self.workflow not in WORKFLOWS:
            raise InputError(f"no experiment is driven by {self.workflow!r}; choose one of {', '.join(WORKFLOWS)}")
        for name, least in (("window", 4), ("components", 1), ("component", 0), ("starts", 1)):
            value = getattr(self, name)
            if value is None and name != "starts":
                continue
            if type(value) is not int or value < least:
                raise InputError(f"{name} of the structure is {value!r}; give a whole number, {least} or more")
        if self.finder not in _FINDERS:
            raise InputError(f"unknown finder of atoms {self.finder!r}; choose one of {', '.join(_FINDERS)}")
        file: object = self.file
        if file is not None and not (isinstance(file, str) and file):
            raise InputError(f"the file of the structure is {file!r}; give the path of a saved target, or nothing")

    @classmethod
    def parse(cls, text: str) -> StructureSettings:
        """Settings of a word: a workflow, or the file of a saved target, which ends in .npz.

        Raises:
            InputError: neither.
        """
        return cls(file=text) if text.endswith(".npz") else cls(text)

    @property
    def words(self) -> str:
        """What the scalar is called."""
        return f"unusual structure ({'saved target' if self.file is not None else self.workflow})"


class Structure:
    """How unusual the survey image is at each site; learned when it is first needed, which takes seconds.

    A site's number is that of the window round it; near the border that of the nearest window inside the image, as an
    image that is continued beyond its border is unusual there by that alone. Where the windows are those of atoms it is
    that of the nearest atom, and 0 where there is none within the distance of neighbouring atoms.

    Args:
        survey: the survey image.
        sites: of the experiment.
        settings: what is looked for.
        patches: the experiment's; their levelling is used.
        seed: of everything random.

    Raises:
        InputError: the window is larger than the image.

    Attributes:
        settings: as given.
        notices: what the user should know before believing the target; empty before it is known.
    """

    def __init__(
        self, survey: SurveyImage, sites: Sites, settings: StructureSettings, patches: PatchSettings, seed: int
    ) -> None:
        self.settings = settings
        self.notices: tuple[str, ...] = ()
        self._survey, self._sites, self._patches, self._seed = survey, sites, patches, seed
        self._values: FloatArray | None = None
        self._target: StructuralTarget | None = None
        self._windows: Patches | None = None
        if settings.file is None and settings.window is not None and min(survey.shape) < settings.window:
            raise InputError(
                f"the survey image of {survey.shape[0]} x {survey.shape[1]} px is smaller than the window of "
                f"{settings.window} px in which structure is looked for; give a smaller window"
            )

    @property
    def is_known(self) -> bool:
        """Whether the target is there."""
        return self._target is not None or self._values is not None

    def learn(self, progress: Callable[[float], None] | None = None) -> Learned:
        """Learn the target, or read the saved one; it is used from `restore` on.

        Args:
            progress: called with the share of a long training that is done; what it raises ends it.

        Returns:
            Data and arrays of the event that keeps it.

        Raises:
            InputError: an image that shows no structure, or is smaller than the window.
            DataFileError: the saved target cannot be used.
        """
        from dkl_core.discovery.targetfile import packed

        discovery = self._discovery(progress)
        facts, arrays = packed(discovery.target, discovery.settings)
        if discovery.settings.on_atoms:
            arrays[_VALUES] = _of_nearest_atom(discovery, self._sites)
        return {**facts, "notices": list(discovery.notices)}, arrays

    def restore(self, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Use what `learn` gave, now or in an earlier session.

        Raises:
            DataFileError: that is no target, or does not fit together.
        """
        from dkl_core.discovery.targetfile import unpacked

        if _VALUES in arrays:
            values = np.array(arrays[_VALUES], dtype=np.float64)
            if values.shape != (len(self._sites),) or not np.isfinite(values).all():
                raise DataFileError(
                    f"the record holds the structure of {values.shape} sites, not of {len(self._sites)}"
                )
            self.notices, self._values = tuple(data.get("notices", ())), values
            return
        facts = {name: value for name, value in data.items() if name != "notices"}
        target, learned = unpacked(facts, {name: np.asarray(array) for name, array in arrays.items()}, "the record")
        self.notices = tuple(data.get("notices", ()))
        self._windows = self._cut(target.descriptor.window, learned)
        self._target = target

    def scalar(self, index: int) -> Scalar:
        """How unusual the image is at a site; the target must be known."""
        if self._values is not None:
            return Scalar(float(self._values[index]))
        assert self._target is not None
        assert self._windows is not None
        # One at a time, always: sums over several sites at once may differ in the last digits.
        return Scalar(float(self._target.at(self._windows, [index])[0]))

    def everywhere(self) -> FloatArray:
        """How unusual the image is at all sites (M,), but for the last digits; the target must be known."""
        if self._values is not None:
            return self._values
        assert self._target is not None
        assert self._windows is not None
        return self._target.everywhere(self._windows)

    def _discovery(self, progress: Callable[[float], None] | None) -> Discovery:
        from dkl_core.discovery.discover import Discovery
        from dkl_core.discovery.settings import DiscoverySettings
        from dkl_core.discovery.targetfile import discovery_with

        asked = self.settings
        settings = DiscoverySettings(
            workflow=asked.workflow,
            window=asked.window,
            components=asked.components,
            component=asked.component,
            starts=asked.starts,
            levelling=self._patches.levelling,
            seed=self._seed,
            finder="classical" if asked.finder == "classical" else "network",
        )
        if asked.file is not None:
            return discovery_with(asked.file, self._survey, settings, progress)
        return Discovery.begin(self._survey, settings, progress, progress)

    def _cut(self, window: int, learned: DiscoverySettings) -> Patches:
        """The windows of all sites, those near the border moved inside."""
        first = window // 2
        last = np.asarray(self._survey.shape) - window + first
        if (last < first).any():
            raise InputError(
                f"the window of {window} px does not fit into the survey image of {self._survey.shape[0]} x "
                f"{self._survey.shape[1]} px; give a larger image, or a smaller window"
            )
        cut = PatchSettings(window, self._sites.stride, levelling=learned.levelling, nan="fill")
        return make_patches(self._survey, cut, positions=np.clip(self._sites.positions, first, last))


def _of_nearest_atom(discovery: Discovery, sites: Sites) -> FloatArray:
    """The target of the atom nearest to each site (M,), 0 where none is within the distance of neighbouring atoms."""
    from scipy.spatial import KDTree

    away, nearest = KDTree(discovery.places).query(sites.positions)
    values = discovery.target.everywhere(discovery.patches)
    found: FloatArray = np.where(away <= discovery.patches.sites.stride, values[nearest], 0.0)
    return found
