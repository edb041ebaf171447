"""What the user sets for the simulated microscope, kept in Swift's configuration folder."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dkl_core.errors import InputError
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.settings import SampleSettings

FILE_NAME = "dkl_simulator_settings.json"
# For scripts: "1" switches the simulator on, "0" off, whatever is in the file.
SWITCH = "DKL_SIMULATOR"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulatorSettings:
    """The simulated microscope.

    Attributes:
        enabled: whether Swift lists it.
        sample: what is in it.
        optics: beam and lenses to begin with.
        realism: what it adds to the physics.
        sensor_px: rows, and columns, of its camera.
        seed: what all randomness is drawn from.
    """

    enabled: bool = False
    sample: SampleSettings = field(default_factory=SampleSettings)
    optics: Optics = field(default_factory=Optics)
    realism: Realism = field(default_factory=Realism.realistic)
    sensor_px: int = 256
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return {
            "enabled": self.enabled,
            "sample": self.sample.to_json(),
            "optics": asdict(self.optics),
            "realism": self.realism.to_json(),
            "sensor_px": self.sensor_px,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SimulatorSettings:
        """Settings from `to_json`; what is missing takes its default.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        values = dict(data)
        optics = dict(values.get("optics", {}))
        try:
            if "c12_nm" in optics:
                optics["c12_nm"] = tuple(optics["c12_nm"])
            parts: dict[str, Any] = {
                "sample": SampleSettings.from_json(values.pop("sample", {})),
                "realism": Realism.from_json(values.pop("realism", {})),
                "optics": Optics(**optics),
            }
            values.pop("optics", None)
            return cls(**values, **parts)
        except (TypeError, ValueError) as error:
            raise InputError(f"the simulator's settings cannot be used ({error}); correct or delete them") from error


def load(folder: Path | None) -> SimulatorSettings:
    """The settings in Swift's configuration folder; the defaults, with a warning, where they cannot be read."""
    path = None if folder is None else folder / FILE_NAME
    if path is None or not path.is_file():
        return SimulatorSettings()
    try:
        return SimulatorSettings.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        _logger.warning("%s was ignored: %s", path, error)
        return SimulatorSettings()


def save(folder: Path | None, settings: SimulatorSettings) -> None:
    """Keep the settings; nothing happens where Swift has no configuration folder."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(settings.to_json(), indent=2), encoding="utf-8")
    unfinished.replace(path)


def is_wanted(settings: SimulatorSettings) -> bool:
    """Whether Swift shall list the simulator: what the environment says, else what the settings say."""
    return {"1": True, "0": False}.get(os.environ.get(SWITCH, ""), settings.enabled)
