"""What can be trained: samples with something to find, on microscopes that make it easy or hard."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nionswift_plugin.dkl.panel.model import PanelSettings

if TYPE_CHECKING:
    from dkl_core.stem.realism import Realism
    from nionswift_plugin.dkl_simulator.settings import SimulatorSettings

_ = gettext.gettext
DIFFICULTIES = (("clean", _("Clean")), ("realistic", _("Realistic")), ("hostile", _("Hostile")))
# A frame a little smaller than the field has no edge of the sample in it, nm.
_MARGIN_NM = 2.0


@dataclass(frozen=True)
class Lesson:
    """A sample and what to look for on it.

    Attributes:
        sample: kind of the sample.
        title: in the menu.
        task: for the user.
        fov_nm: height and width of the frame, nm.
        panel: settings of the panel that suit the sample.
        parts: settings of the sample that differ from the usual ones.
        optics: beam and lens that differ from the usual ones.
        current_pa: beam current, pA; None for the usual one.
        sensor_px: rows, and columns, of the camera.
    """

    sample: str
    title: str
    task: str
    fov_nm: float
    panel: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    optics: Mapping[str, Any] = field(default_factory=dict)
    current_pa: float | None = None
    sensor_px: int = 128

    def simulator(self, difficulty: str, seed: int) -> SimulatorSettings:
        """The microscope of the lesson.

        Args:
            difficulty: `clean`, `realistic` or `hostile`.
            seed: of sample and noise.

        Raises:
            InputError: no such difficulty.
        """
        from dkl_core.stem.optics import Optics
        from dkl_core.stem.settings import SampleSettings
        from nionswift_plugin.dkl_simulator.settings import SimulatorSettings

        sample = SampleSettings.from_json(
            {"kind": self.sample, "field_nm": self.fov_nm + _MARGIN_NM, "seed": seed, **self.parts}
        )
        realism = realism_of(difficulty)
        if self.current_pa is not None:
            realism = replace(realism, current_pa=self.current_pa)
        return SimulatorSettings(
            sample=sample, realism=realism, optics=Optics(**self.optics), sensor_px=self.sensor_px, seed=seed
        )

    def settings(self, present: PanelSettings, instrument: str, camera: str) -> PanelSettings:
        """The panel's settings for the lesson; runs are kept where the present ones say."""
        return PanelSettings(
            instrument=instrument, camera=camera, folder=present.folder, fov_nm=self.fov_nm, **self.panel
        )


LESSONS = (
    Lesson(
        "graphene_si",
        _("Silicon in graphene"),
        _("Find the silicon atoms in one layer of graphene: the electric field is strongest round them."),
        6.4,
        {"survey_px": 128, "dwell_us": 40.0, "every_px": 2, "sites": 80},
        {"dopants": {"per_nm2": 0.15}},
    ),
    Lesson(
        "twisted_bilayer",
        _("Dopants in a twisted bilayer"),
        _("Find the silicon atoms in two turned layers of graphene: the electric field is strongest round them."),
        6.4,
        {"survey_px": 128, "dwell_us": 40.0, "every_px": 2, "sites": 100},
        {"dopants": {"per_nm2": 0.15}},
    ),
    Lesson(
        "mnps3",
        _("Moiré of MnPS₃"),
        _("Find where the annular bright field is weakest in two layers of MnPS₃ of different size."),
        6.4,
        {
            "survey_px": 96,
            "dwell_us": 20.0,
            "every_px": 3,
            "patch_px": 16,
            "measured": "annular_bright_field",
            "aim": "weakest",
        },
        # a hole would outshine the pattern
        {"holes": {"count": 0}},
        {"defocus_nm": 20.0},
    ),
    Lesson(
        "strained_flake",
        _("Strain of a flake"),
        _("Find where the lattice of a flake is compressed most: the distance of its Bragg discs is largest there."),
        20.0,
        {
            "survey_px": 96,
            "dwell_us": 80.0,
            "every_px": 2,
            "patch_px": 16,
            "measured": "bragg_distance",
            "exposure_ms": 60.0,
        },
        {},
        {"semiangle_mrad": 5.0},
        # the small disc holds all of the beam, which would saturate fewer or brighter pixels
        10.0,
        256,
    ),
)


def lesson_of(sample: str) -> Lesson:
    """The lesson on a sample.

    Raises:
        InputError: there is none.
    """
    from dkl_core.errors import InputError

    for lesson in LESSONS:
        if lesson.sample == sample:
            return lesson
    known = ", ".join(lesson.sample for lesson in LESSONS)
    raise InputError(f"there is no training on {sample!r}; choose one of {known}")


def realism_of(difficulty: str) -> Realism:
    """What the microscope adds to the physics; a clean one has shot noise alone.

    Raises:
        InputError: no such difficulty.
    """
    from dkl_core.errors import InputError
    from dkl_core.stem.realism import NoiseSettings, Realism

    if difficulty == "clean":
        return replace(Realism.ideal(), noise=NoiseSettings(flicker=0.0))
    if difficulty not in {name for name, _title in DIFFICULTIES}:
        raise InputError(f"there is no difficulty {difficulty!r}; choose clean, realistic or hostile")
    return Realism.named(difficulty)
