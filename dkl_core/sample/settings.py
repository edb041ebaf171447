"""Everything the simulated surface is built from: one object, three groups, sensible defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from dkl_core.errors import InputError

Pair = tuple[float, float]


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value:g}, expected more than 0; give a positive number")


def _require_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value:g}, expected 0 or more; give 0 to switch it off")


@dataclass(frozen=True)
class StructureSettings:
    """What lies on the surface.

    Attributes:
        lattice_nm: lattice constant of the triangular lattice, nm.
        corrugation_nm: height of an atom above the hollow between atoms, nm.
        step_height_nm: height of an atomic step, nm; 0 leaves the surface without steps.
        terrace_nm: mean width of a terrace, nm.
        adsorbates_per_nm2: density of adsorbates (bright bumps, a part of them along the steps).
        substitutions_per_nm2: density of substituted atoms (faint triangles with stronger atomic contrast).
        vacancies_per_nm2: density of missing atoms (dark spots).
    """

    lattice_nm: float = 0.42
    corrugation_nm: float = 0.02
    step_height_nm: float = 0.20
    terrace_nm: float = 24.0
    adsorbates_per_nm2: float = 0.010
    substitutions_per_nm2: float = 0.004
    vacancies_per_nm2: float = 0.010

    def __post_init__(self) -> None:
        _require_positive(lattice_nm=self.lattice_nm, terrace_nm=self.terrace_nm)
        _require_not_negative(
            corrugation_nm=self.corrugation_nm,
            step_height_nm=self.step_height_nm,
            adsorbates_per_nm2=self.adsorbates_per_nm2,
            substitutions_per_nm2=self.substitutions_per_nm2,
            vacancies_per_nm2=self.vacancies_per_nm2,
        )


@dataclass(frozen=True)
class StateSettings:
    """How one kind of structure changes the electronic states round it.

    Attributes:
        conduction_shift_ev: shift of the conduction-band edge at the centre, eV.
        valence_shift_ev: shift of the valence-band edge at the centre, eV.
        level_ev: energy of the in-gap state above the Fermi level, eV.
        weight_ev: area of the in-gap state in the local density of states at the centre (bands rise by 1 per eV).
        decay_nm: length over which the influence falls by a factor e beside the defect, nm.
    """

    conduction_shift_ev: float
    valence_shift_ev: float
    level_ev: float
    weight_ev: float
    decay_nm: float

    def __post_init__(self) -> None:
        _require_positive(decay_nm=self.decay_nm)
        _require_not_negative(weight_ev=self.weight_ev)


@dataclass(frozen=True)
class ElectronicSettings:
    """The local density of states and how a spectrum follows from it.

    Attributes:
        conduction_edge_ev: edge of the conduction band on the bare terrace, eV above the Fermi level.
        valence_edge_ev: edge of the valence band on the bare terrace, eV.
        onset_ev: softness of the band edges, eV.
        level_width_ev: standard deviation of the in-gap states, eV.
        adsorbate: influence of an adsorbate.
        substitution: influence of a substituted atom.
        vacancy: influence of a missing atom.
        step: influence of a step edge.
        terrace_shift_ev: shift of the conduction-band edge between neighbouring terraces, eV.
        puddle_ev: rms of the slow potential of buried charges, which no topograph shows, eV.
        conductance_a: current scale, A; the tip stays at the same distance from the local surface.
        transmission_ev: energy over which the transmission grows by a factor e, eV.
        modulation_v: lock-in modulation, V rms.
        temperature_k: temperature, K.
        bias_v: first and last bias of a spectrum, V.
        points: samples of a spectrum.
    """

    conduction_edge_ev: float = 0.75
    valence_edge_ev: float = -1.0
    onset_ev: float = 0.04
    level_width_ev: float = 0.03
    adsorbate: StateSettings = StateSettings(0.45, -0.10, -0.45, 0.0, 1.2)
    substitution: StateSettings = StateSettings(-0.30, 0.12, 0.05, 0.003, 1.4)
    vacancy: StateSettings = StateSettings(-0.15, 0.05, 0.22, 0.010, 0.9)
    step: StateSettings = StateSettings(-0.15, 0.10, -0.20, 0.001, 0.8)
    terrace_shift_ev: float = 0.03
    puddle_ev: float = 0.012
    conductance_a: float = 6e-9
    transmission_ev: float = 1.5
    modulation_v: float = 0.015
    temperature_k: float = 77.0
    bias_v: Pair = (-1.5, 1.5)
    points: int = 121

    def __post_init__(self) -> None:
        _require_positive(
            onset_ev=self.onset_ev,
            level_width_ev=self.level_width_ev,
            conductance_a=self.conductance_a,
            transmission_ev=self.transmission_ev,
        )
        _require_not_negative(
            puddle_ev=self.puddle_ev, modulation_v=self.modulation_v, temperature_k=self.temperature_k
        )
        if self.valence_edge_ev >= self.conduction_edge_ev:
            raise InputError(
                f"valence_edge_ev is {self.valence_edge_ev:g}, expected less than conduction_edge_ev "
                f"({self.conduction_edge_ev:g}); lower it"
            )
        if self.points < 2:
            raise InputError(f"points is {self.points}, expected 2 or more; give the number of samples of a spectrum")


@dataclass(frozen=True)
class RealismSettings:
    """What the instrument adds; each part is switched off by 0 or None.

    Attributes:
        height_noise_nm: white noise of the topograph, nm rms.
        line_offset_nm: offset from scan line to scan line, nm rms.
        tilt: slope of the sample (down the rows, along the columns), nm per nm.
        current_noise_a: white noise of the current, A rms.
        didv_noise_s: white noise of dI/dV, A/V rms.
        tip_height_noise_nm: scatter of the tip's distance from spectrum to spectrum, nm rms; scales the whole spectrum.
        unstable_share: share of spectra ruined by a jumping tip: a stretch of them reads the largest current.
        drift_nm_per_min: thermal drift of the sample under the tip (rows, columns), nm/min.
        line_time_s: time per line of a topograph, s.
        tip_change_s: moment at which the tip changes, s; None for never.
        tip_change_contrast: factor on atomic and defect contrast after the change.
        tip_change_offset_nm: step of the apparent height at the change, nm.
        tip_change_gain: factor on the current after the change.
        saturation_a: largest current of the preamplifier, A; None for no limit. dI/dV reads 0 beyond it.
    """

    height_noise_nm: float = 0.006
    line_offset_nm: float = 0.006
    tilt: Pair = (0.0, 0.0)
    current_noise_a: float = 3e-12
    didv_noise_s: float = 2e-11
    tip_height_noise_nm: float = 0.001
    unstable_share: float = 0.0
    drift_nm_per_min: Pair = (0.0, 0.0)
    line_time_s: float = 1.0
    tip_change_s: float | None = None
    tip_change_contrast: float = 0.6
    tip_change_offset_nm: float = 0.08
    tip_change_gain: float = 1.4
    saturation_a: float | None = 1e-8

    def __post_init__(self) -> None:
        _require_not_negative(
            height_noise_nm=self.height_noise_nm,
            line_offset_nm=self.line_offset_nm,
            current_noise_a=self.current_noise_a,
            didv_noise_s=self.didv_noise_s,
            tip_height_noise_nm=self.tip_height_noise_nm,
            line_time_s=self.line_time_s,
        )
        if not 0 <= self.unstable_share <= 1:
            raise InputError(f"unstable_share is {self.unstable_share:g}, expected 0 to 1; give a share of the spectra")
        if self.saturation_a is not None:
            _require_positive(saturation_a=self.saturation_a)

    @classmethod
    def none(cls) -> RealismSettings:
        """An instrument that adds nothing."""
        return cls(
            height_noise_nm=0.0,
            line_offset_nm=0.0,
            current_noise_a=0.0,
            didv_noise_s=0.0,
            tip_height_noise_nm=0.0,
            saturation_a=None,
        )


@dataclass(frozen=True)
class SurfaceSettings:
    """A simulated surface in full; equal settings give equal surfaces.

    Attributes:
        seed: what the random parts are drawn from.
        extent_nm: height and width of the piece of sample, nm; its corner (0, 0) is top left.
        shape: rows and columns of a topograph when no frame is given.
        structure: what lies on the surface.
        electronics: local density of states and spectra.
        realism: what the instrument adds.
    """

    seed: int = 0
    extent_nm: Pair = (50.0, 50.0)
    shape: tuple[int, int] = (256, 256)
    structure: StructureSettings = field(default_factory=StructureSettings)
    electronics: ElectronicSettings = field(default_factory=ElectronicSettings)
    realism: RealismSettings = field(default_factory=RealismSettings)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more; give a whole number")
        _require_positive(extent_height_nm=self.extent_nm[0], extent_width_nm=self.extent_nm[1])
        _require_positive(rows=self.shape[0], columns=self.shape[1])

    def ideal(self) -> SurfaceSettings:
        """The same surface under an instrument that adds nothing: no noise, drift, tip change or saturation."""
        return replace(self, realism=RealismSettings.none())
