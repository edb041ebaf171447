"""What the microscopist sets, in the microscopist's words, and its small text file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from dkl_core.acquisition import AcquisitionName, AcquisitionSettings
from dkl_core.errors import InputError
from dkl_core.experiment.settings import ExperimentSettings, SeedMethod, SeedSettings, StopRules
from dkl_core.experiment.structure import StructureSettings
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from nionswift_plugin.dkl.acquisition.settings import (
    BeamSettings,
    DriftSettings,
    HookSettings,
    PatternMode,
    PatternSettings,
    SurveySettings,
)
from nionswift_plugin.dkl.display.site_area import Shape

Aim = Literal["strongest", "weakest", "value", "explore", "structure"]
ELECTRONS_PER_MILLION = 1e6
_KIND = "dkl experiment"


@dataclass(frozen=True)
class PanelSettings:
    """An experiment as the panel asks for it; None leaves a choice to Swift or sets no limit.

    Attributes:
        instrument: id of the instrument, None for the first one.
        camera: id of the camera, None for the instrument's own.
        survey_px: rows, and columns, of the survey frame.
        fov_nm: height and width of the survey frame, nm.
        dwell_us: dwell time of the survey frame, us.
        patch_px: edge of the patch of the survey image that stands for a site, px.
        every_px: distance of neighbouring sites, px.
        skip_percent: sites whose surroundings are darker than this part of the image's range are left out, %.
        region: sites lie within it; None for the whole image.
        forbidden: no site lies within these.
        measured: the property that is measured, by its scalarizer's name.
        options: the property's options that differ from their defaults.
        aim: what is looked for; `structure` goes where the survey image is unusual, whatever is measured there.
        value: the value to reach, in the property's unit, for the aim `value`.
        workflow: how structure is described and taken apart, for the aim `structure`; see `StructureSettings`.
        structure_px: edge of the window that structure is looked for in, px; None for an eighth of the image.
        target_file: a saved structural target that is looked for instead of what the workflow would find.
        sites: how many sites are measured at most.
        minutes: the run ends before it has taken longer, min.
        million_electrons: the run ends before more electrons hit the sample, 10⁶.
        exposure_ms: exposure of a pattern, ms.
        binning: of the camera.
        mode: how a pattern is taken, see `PatternSettings`.
        current_pa: beam current, pA; None for what the instrument says.
        dark_frames: frames without beam, taken first.
        follow_every: sites between two looks for the sample's drift; 0 for none.
        seeds: sites before the model decides.
        seed_method: how those are spread.
        strategy: what ranks the sites; None for what suits the aim.
        random_seed: of every random choice.
        folder: where runs are kept; None for the folder of documents.
    """

    instrument: str | None = None
    camera: str | None = None
    survey_px: int = 256
    fov_nm: float | None = None
    dwell_us: float | None = None
    patch_px: int = 12
    every_px: int = 4
    skip_percent: float = 0.0
    region: Shape | None = None
    forbidden: tuple[Shape, ...] = ()
    measured: str = "com_magnitude"
    options: Mapping[str, Any] = field(default_factory=dict)
    aim: Aim = "strongest"
    value: float | None = None
    workflow: str = "fft-pca"
    structure_px: int | None = None
    target_file: str | None = None
    sites: int = 100
    minutes: float | None = None
    million_electrons: float | None = None
    exposure_ms: float = 20.0
    binning: int | None = None
    mode: PatternMode = "record"
    current_pa: float | None = None
    dark_frames: int = 8
    follow_every: int = 0
    seeds: int = 20
    seed_method: SeedMethod = "random"
    strategy: AcquisitionName | None = None
    random_seed: int = 0
    folder: str | None = None

    def __post_init__(self) -> None:
        if self.aim not in get_args(Aim):
            raise InputError(f"the aim {self.aim!r} is unknown; choose one of {', '.join(get_args(Aim))}")
        if not 0 <= self.skip_percent < 100:
            raise InputError(f"sites darker than {self.skip_percent:g} % cannot be left out; give 0 to below 100 %")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"{self.minutes:g} min is no time; give more than 0, or leave it empty")
        if self.million_electrons is not None and not self.million_electrons > 0:
            raise InputError(
                f"{self.million_electrons:g} million electrons is no dose; give more than 0, or leave it empty"
            )
        if self.sites < 2:
            raise InputError(f"{self.sites} sites are too few to learn from; give 2 or more")
        if self.follow_every < 0:
            raise InputError(f"the drift cannot be looked for every {self.follow_every} sites; give 0 (never) or more")
        # what the parts refuse is refused here, when it is typed, used or not
        self.structure()
        self.acquisition()
        self.experiment()

    def with_(self, **changes: Any) -> Self:
        """The settings with some of them changed.

        Raises:
            InputError: they do not fit together.
        """
        return replace(self, **changes)

    # ------------------------------------------------------------------ what it means

    @property
    def goal(self) -> Goal:
        """The goal of the experiment."""
        match self.aim:
            case "weakest":
                return Goal("minimise")
            case "value":
                return Goal("target", 0.0 if self.value is None else self.value)
        return Goal("maximise")

    @property
    def ranking(self) -> AcquisitionSettings:
        """What ranks the sites."""
        return AcquisitionSettings(self.strategy or ("uncertainty" if self.aim == "explore" else "ei"))

    @property
    def stop_rules(self) -> StopRules:
        """When the run ends."""
        seconds = None if self.minutes is None else self.minutes * 60
        electrons = None if self.million_electrons is None else self.million_electrons * ELECTRONS_PER_MILLION
        return StopRules(self.sites, seconds=seconds, electrons=electrons)

    @property
    def patches(self) -> PatchSettings:
        """How sites are laid."""
        return PatchSettings(window=self.patch_px, stride=self.every_px)

    def experiment(self) -> ExperimentSettings:
        """Everything that decides which sites are measured."""
        return ExperimentSettings(
            patches=self.patches,
            acquisition=self.ranking,
            goal=self.goal,
            seeds=SeedSettings(max(1, min(self.seeds, self.sites // 2)), self.seed_method),
            stop=self.stop_rules,
            seed=self.random_seed,
            structure=self.structure() if self.aim == "structure" else None,
        )

    def structure(self) -> StructureSettings:
        """What is looked for in the survey image, for the aim `structure`."""
        return StructureSettings(self.workflow, self.structure_px, file=self.target_file)

    def acquisition(self, *, consent: bool = False) -> HookSettings:
        """How the microscope is used.

        Args:
            consent: the user agreed that the probe of a real instrument is moved.
        """
        electrons = self.stop_rules.electrons
        return HookSettings(
            consent=consent,
            survey=SurveySettings(size_px=self.survey_px, fov_nm=self.fov_nm, pixel_time_us=self.dwell_us),
            pattern=PatternSettings(
                exposure_ms=self.exposure_ms, binning=self.binning, mode=self.mode, dark_frames=self.dark_frames
            ),
            beam=BeamSettings(current_pa=self.current_pa, max_electrons=electrons),
            drift=DriftSettings(every_sites=self.follow_every or None),
        )

    # ------------------------------------------------------------------ the text file

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return {"kind": _KIND, **asdict(self)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Settings from `to_json`; what is missing takes its default.

        Raises:
            InputError: not such settings, or a value that cannot be used.
        """
        if not isinstance(data, Mapping) or data.get("kind") != _KIND:
            raise InputError("this file does not hold the settings of an experiment; choose one that the panel saved")
        known = {item.name for item in fields(cls)}
        unknown = sorted(data.keys() - known - {"kind"})
        if unknown:
            raise InputError(f"the settings hold {', '.join(unknown)}, which this version does not know; take it out")
        values = {name: value for name, value in data.items() if name in known}
        try:
            if values.get("region") is not None:
                values["region"] = _shape(values["region"])
            values["forbidden"] = tuple(_shape(shape) for shape in values.get("forbidden", ()))
            return cls(**values)
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(f"the settings cannot be used: {error}; correct the file") from error

    def to_text(self) -> str:
        """The settings as a small text."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Settings from `to_text`.

        Raises:
            InputError: not such a text.
        """
        try:
            return cls.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise InputError(f"this is no settings file of the panel ({error}); choose another one") from error

    def save(self, path: Path) -> None:
        """Write the text file.

        Raises:
            InputError: it cannot be written there.
        """
        try:
            path.write_text(self.to_text(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}; choose another place") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a text file.

        Raises:
            InputError: it cannot be read, or is none of these.
        """
        try:
            return cls.from_text(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}; choose another file") from error


def _shape(data: Mapping[str, Any]) -> Shape:
    (y, x), (height, width) = data["centre"], data["size"]
    return Shape(data["outline"], (float(y), float(x)), (float(height), float(width)), float(data["rotation_rad"]))
