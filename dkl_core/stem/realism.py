"""What the simulated microscope adds to the physics: each effect with a switch and a default, in one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from dkl_core.errors import InputError
from dkl_core.settings_json import made
from dkl_core.stem.checked import require_not_negative, require_positive
from dkl_core.stem.cross_sections import DamageSettings

Pair = tuple[float, float]


@dataclass(frozen=True)
class NoiseSettings:
    """Counting statistics and a flickering beam.

    Attributes:
        on: whether electrons arrive at random (Poisson) in both detectors; off gives expectation values.
        flicker: relative rms of the beam current; 0 for a steady beam.
        slowest_s: longest period of the flicker, s.
        fastest_s: shortest period of the flicker, s.
    """

    on: bool = True
    flicker: float = 0.02
    slowest_s: float = 10.0
    fastest_s: float = 0.05

    def __post_init__(self) -> None:
        require_not_negative(flicker=self.flicker)
        require_positive(slowest_s=self.slowest_s, fastest_s=self.fastest_s)


@dataclass(frozen=True)
class SourceSettings:
    """The effective source size: patterns and images are averaged over the places that the probe covers.

    Attributes:
        on: whether the source has a size.
        sigma_nm: standard deviation of the source's image on the sample, nm.
    """

    on: bool = True
    sigma_nm: float = 0.03

    def __post_init__(self) -> None:
        require_not_negative(sigma_nm=self.sigma_nm)


@dataclass(frozen=True)
class ProjectionSettings:
    """Where the projector lenses put the pattern on the camera.

    A deflection (y, x) along the scan's axes appears on the camera as flip(rotate(-rotation_deg)): to get back, mirror
    the rows of the camera's vector if `flip`, then rotate it by `rotation_deg` from the x axis towards the y axis, that
    is clockwise on the screen. This is the convention of LiberTEM's `scan_rotation` and `flip_y`.

    Attributes:
        on: whether the projection is imperfect; off centres the pattern and aligns it with the scan.
        centre_mrad: where the undeflected beam falls (rows, columns) from the true centre of the camera, mrad.
        descan_mrad_per_nm: how much the pattern moves (rows, columns) on the camera per nm that the probe moves along
            the same axis, mrad/nm.
        rotation_deg: rotation between scan and camera axes, degrees.
        flip: whether the camera sees the rows mirrored.
    """

    on: bool = True
    centre_mrad: Pair = (-0.8, 1.3)
    descan_mrad_per_nm: Pair = (0.02, -0.0125)
    rotation_deg: float = 8.0
    flip: bool = False


@dataclass(frozen=True)
class DriftSettings:
    """The sample moving under the beam.

    Attributes:
        on: whether the sample drifts.
        velocity_nm_per_min: constant velocity of the sample (y, x), nm/min.
        walk_nm: rms of the random walk after one minute, per axis, nm.
    """

    on: bool = True
    velocity_nm_per_min: Pair = (0.03, -0.02)
    walk_nm: float = 0.01

    def __post_init__(self) -> None:
        require_not_negative(walk_nm=self.walk_nm)


@dataclass(frozen=True)
class CameraDefects:
    """What the camera does to the electrons.

    Attributes:
        on: whether the camera has faults and whole counts; off gives float counts without offset or limit.
        gain_spread: relative rms of the pixels' fixed gain pattern.
        dead_px: number of pixels that always read 0.
        hot_px: number of pixels that read far too much.
        read_noise_e: read noise, electrons rms per pixel.
        offset_counts: what a pixel reads without beam, counts.
    """

    on: bool = True
    gain_spread: float = 0.01
    dead_px: int = 4
    hot_px: int = 3
    read_noise_e: float = 1.0
    offset_counts: float = 100.0

    def __post_init__(self) -> None:
        require_not_negative(
            gain_spread=self.gain_spread,
            dead_px=self.dead_px,
            hot_px=self.hot_px,
            read_noise_e=self.read_noise_e,
            offset_counts=self.offset_counts,
        )


@dataclass(frozen=True)
class HaadfDefects:
    """What the annular detector's electronics do to the electrons.

    Attributes:
        on: whether there is offset and electronic noise; off gives counts in proportion to the electrons.
        offset_counts: what a pixel reads without beam, counts.
        noise_counts: electronic noise, counts rms.
    """

    on: bool = True
    offset_counts: float = 12.0
    noise_counts: float = 2.0

    def __post_init__(self) -> None:
        require_not_negative(noise_counts=self.noise_counts)


@dataclass(frozen=True)
class ScanDistortion:
    """Where the scan coils really put the beam.

    Attributes:
        on: whether the scan is distorted.
        scale_error: relative error of the scale along (y, x).
        shear: nm along x per nm along y.
        line_jitter_nm: rms shift of a line along itself, nm.
        mains_nm: amplitude of the mains' wobble along x, nm.
        mains_hz: frequency of the mains, Hz.
        flyback_nm: how far the beam lags behind at the beginning of a line, nm.
        flyback_s: time in which the lag decays by a factor e, s.
        parked_offset_nm: where a parked beam stands from the place that the scanned image shows (y, x), nm.
    """

    on: bool = True
    scale_error: Pair = (0.004, -0.003)
    shear: float = 0.002
    line_jitter_nm: float = 0.004
    mains_nm: float = 0.004
    mains_hz: float = 50.0
    flyback_nm: float = 0.05
    flyback_s: float = 5e-5
    parked_offset_nm: Pair = (0.006, -0.004)

    def __post_init__(self) -> None:
        require_not_negative(line_jitter_nm=self.line_jitter_nm, mains_nm=self.mains_nm, mains_hz=self.mains_hz)
        require_positive(flyback_s=self.flyback_s)


@dataclass(frozen=True)
class ContaminationSettings:
    """Carbon that the beam collects where it stands.

    Attributes:
        on: whether contamination grows.
        parked_nm_per_min: growth of the deposit's height under a parked beam, nm/min.
        radius_nm: standard deviation of the deposit, nm.
        background_nm_per_min: growth over the whole field, nm/min.
    """

    on: bool = True
    parked_nm_per_min: float = 1.0
    radius_nm: float = 0.6
    background_nm_per_min: float = 0.0005

    def __post_init__(self) -> None:
        require_not_negative(parked_nm_per_min=self.parked_nm_per_min, background_nm_per_min=self.background_nm_per_min)
        require_positive(radius_nm=self.radius_nm)


@dataclass(frozen=True)
class Realism:
    """Everything that stands between the physics and what the detectors read; each part has its switch `on`.

    Attributes:
        current_pa: beam current, pA.
        noise: counting statistics and flicker of the beam.
        source: size of the source.
        projection: centre, descan, rotation and flip of the pattern.
        drift: motion of the sample.
        camera: faults of the camera.
        haadf: faults of the annular detector.
        scan: distortion of the scan.
        damage: change of the structure with dose.
        contamination: carbon deposit.
    """

    current_pa: float = 30.0
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    source: SourceSettings = field(default_factory=SourceSettings)
    projection: ProjectionSettings = field(default_factory=ProjectionSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    camera: CameraDefects = field(default_factory=CameraDefects)
    haadf: HaadfDefects = field(default_factory=HaadfDefects)
    scan: ScanDistortion = field(default_factory=ScanDistortion)
    damage: DamageSettings = field(default_factory=DamageSettings)
    contamination: ContaminationSettings = field(default_factory=ContaminationSettings)

    def __post_init__(self) -> None:
        require_positive(current_pa=self.current_pa)

    @classmethod
    def realistic(cls) -> Realism:
        """A good microscope on an ordinary day; the default."""
        return cls()

    @classmethod
    def ideal(cls) -> Realism:
        """A microscope that adds nothing: the camera reads exactly the physics' pattern."""
        whole = cls()
        return replace(whole, **{name: replace(part, on=False) for name, part in _parts(whole).items()})

    @classmethod
    def hostile(cls) -> Realism:
        """A microscope on a bad day: everything is wrong that can be wrong, and still a run must succeed."""
        return cls(
            noise=NoiseSettings(flicker=0.05),
            source=SourceSettings(sigma_nm=0.05),
            projection=ProjectionSettings(
                centre_mrad=(4.2, -3.1), descan_mrad_per_nm=(0.06, 0.05), rotation_deg=37.0, flip=True
            ),
            drift=DriftSettings(velocity_nm_per_min=(0.08, 0.06), walk_nm=0.03),
            camera=CameraDefects(gain_spread=0.03, dead_px=20, hot_px=20, read_noise_e=3.0, offset_counts=200.0),
            haadf=HaadfDefects(noise_counts=8.0),
            scan=ScanDistortion(
                scale_error=(0.02, -0.015),
                shear=0.015,
                line_jitter_nm=0.02,
                mains_nm=0.015,
                flyback_nm=0.15,
                parked_offset_nm=(0.02, -0.015),
            ),
            damage=DamageSettings(scale=5.0),
            contamination=ContaminationSettings(parked_nm_per_min=6.0, background_nm_per_min=0.005),
        )

    @classmethod
    def named(cls, name: str) -> Realism:
        """A preset: `ideal`, `realistic` or `hostile`.

        Raises:
            InputError: there is no preset of this name.
        """
        presets = {"ideal": cls.ideal, "realistic": cls.realistic, "hostile": cls.hostile}
        if name not in presets:
            raise InputError(f"there is no realism {name!r}; choose from {', '.join(presets)}")
        return presets[name]()

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Realism:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        realism: Realism = made(cls, data)
        return realism


def _parts(whole: Realism) -> dict[str, Any]:
    return {item.name: getattr(whole, item.name) for item in fields(whole) if item.name != "current_pa"}
