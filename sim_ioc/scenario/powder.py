"""Truth of a powder in a thermostated cell at a station without a laser: cell, fluorescence detector, diffraction."""

from __future__ import annotations

from pydantic import Field, model_validator

from sim_ioc.scenario.sample import ScenarioTable

Numbers = tuple[float, ...]


class CellTruth(ScenarioTable):
    """Thermostated cell: its controller, and the sample inside, which follows the block."""

    start_degC: float = Field(default=25.0, ge=-200, le=1000)
    ramp_K_min: float = Field(default=10.0, gt=0, le=1000, description="at start-up")
    highest_degC: float = Field(default=160.0, gt=-200, le=1000, description="interlock of the block at start-up")
    inside_offset_K: float = Field(default=0.75, ge=-100, le=100, description="inside = offset + slope * block")
    inside_slope: float = Field(default=0.97, gt=0, le=2)
    lag_s: float = Field(default=40.0, gt=0, le=1e5, description="time in which the inside follows the block")
    noise_K: float = Field(default=0.02, ge=0, le=10, description="of each reading of a thermocouple, rms")


class ElementTruth(ScenarioTable):
    """The elements of the fluorescence detector, one number each."""

    solid_angle: Numbers = Field(default=(1.0, 0.94, 1.08, 0.81, 1.02), description="relative to their mean rate")
    dead_time_ns: Numbers = Field(default=(250.0, 270.0, 260.0, 310.0, 255.0), description="after each event")
    shown_dead_time_ns: Numbers = Field(default=(250.0, 270.0, 260.0, 310.0, 255.0), description="in the record")
    step_per_s: float = Field(default=2e5, gt=0, le=1e9, description="photons in the region, one edge step")
    scattered_per_s: float = Field(default=8e4, ge=0, le=1e9, description="photons outside the region of interest")
    reset_fraction: float = Field(default=0.004, ge=0, lt=1, description="time in which the preamplifiers reset")

    @model_validator(mode="after")
    def _check(self) -> ElementTruth:
        if len({len(each) for each in (self.solid_angle, self.dead_time_ns, self.shown_dead_time_ns)}) != 1:
            raise ValueError("solid_angle, dead_time_ns and shown_dead_time_ns need one number for each element")
        return self


class ThermalFeature(ScenarioTable):
    """A Gaussian that a spectrum gains or loses with the temperature, in units of the edge step."""

    energy_keV: float = Field(gt=1, lt=100)
    fwhm_eV: float = Field(gt=0, le=100)
    amplitudes: Numbers = Field(description="at each of the temperatures")


def _thermal(*rows: tuple[float, float, Numbers]) -> tuple[ThermalFeature, ...]:
    return tuple(ThermalFeature(energy_keV=energy, fwhm_eV=width, amplitudes=each) for energy, width, each in rows)


class ThermalTruth(ScenarioTable):
    """How the spectra change from 25 degC on: features, and the edge with the band gap (Varshni)."""

    temperatures_degC: Numbers = (25.0, 35.0, 45.0, 55.0, 65.0, 120.0, 140.0)
    br_k: tuple[ThermalFeature, ...] = _thermal(
        (13.4685, 2.5, (0.0, -0.004, -0.007, -0.009, -0.010, -0.013, -0.014)),
        (13.4720, 3.0, (0.0, 0.003, 0.001, -0.006, -0.011, -0.024, -0.028)),
        (13.4850, 8.0, (0.0, 0.001, 0.002, 0.003, 0.004, 0.009, 0.011)),
    )
    pb_l3: tuple[ThermalFeature, ...] = _thermal(
        (13.0320, 4.0, (0.0, 0.003, 0.003, 0.002, 0.002, 0.001, 0.001)),
        (13.0440, 12.0, (0.0, -0.003, -0.005, -0.007, -0.009, -0.019, -0.023)),
    )
    varshni_alpha_eV_K: float = Field(default=-7.3e-5, ge=-1, le=1)
    varshni_beta_K: float = Field(default=314.0, gt=0, le=1e5)

    @model_validator(mode="after")
    def _check(self) -> ThermalTruth:
        number = len(self.temperatures_degC)
        if any(len(each.amplitudes) != number for each in (*self.br_k, *self.pb_l3)):
            raise ValueError("amplitudes need one number for each of temperatures_degC")
        return self


class PhaseTruth(ScenarioTable):
    """A crystalline phase: from which temperature on, its cell at that temperature, and its lines."""

    name: str
    from_degC: float = Field(ge=-273.15, le=2000)
    cell_A: tuple[float, float, float]
    expansion_per_K: float = Field(default=3.5e-5, ge=-1e-2, le=1e-2)
    lines: tuple[tuple[int, int, int, float], ...] = Field(description="h, k, l, intensity")


PEROVSKITE = (
    PhaseTruth(
        name="orthorhombic",
        from_degC=-273.15,
        cell_A=(8.207, 8.255, 11.759),
        lines=(
            (1, 1, 2, 30), (0, 2, 0, 15), (2, 0, 0, 15), (2, 0, 2, 8), (0, 2, 2, 8), (2, 2, 0, 50), (0, 0, 4, 50),
            (1, 1, 4, 8), (2, 2, 2, 8), (1, 3, 2, 12), (3, 1, 2, 12), (0, 2, 4, 10), (2, 0, 4, 10),
        ),
    ),
    PhaseTruth(
        name="tetragonal",
        from_degC=59.0,
        cell_A=(8.259, 8.259, 5.897),
        lines=(
            (2, 0, 0, 30), (1, 1, 1, 30), (2, 0, 1, 12), (2, 2, 0, 70), (0, 0, 2, 35), (3, 1, 0, 5), (2, 2, 1, 5),
            (1, 1, 2, 5), (2, 0, 2, 22), (3, 1, 1, 22),
        ),
    ),
    PhaseTruth(
        name="cubic",
        from_degC=117.0,
        cell_A=(5.874, 5.874, 5.874),
        lines=((1, 1, 0, 60), (1, 1, 1, 12), (2, 0, 0, 105), (2, 1, 0, 16), (2, 1, 1, 44)),
    ),
)  # fmt: skip
"""Cells: orthorhombic by Stoumpos et al., Cryst. Growth Des. 13, 2722 (2013), in the setting Pbnm; tetragonal P4/mbm
and cubic Pm-3m by Hirotsu et al., J. Phys. Soc. Jpn. 37, 1393 (1974). Temperatures of the transitions in nanocrystals
by Cottingham and Brutchey, Chem. Mater. 30, 6711 (2018), within the ranges there. Intensities are round numbers."""
GRAPHITE = PhaseTruth(
    name="graphite",
    from_degC=-273.15,
    cell_A=(2.456, 2.456, 6.696),
    expansion_per_K=0.0,
    lines=((0, 0, 2, 100), (1, 0, 0, 4), (1, 0, 1, 17)),
)
"""Hexagonal; lattice constants by Wyckoff, Crystal Structures 1 (1963), 7-83."""


class CameraTruth(ScenarioTable):
    """Area detector for diffraction, and what it sees."""

    pixels: tuple[int, int] = Field(default=(487, 195), description="along and across the direction away from the beam")
    pixel_um: float = Field(default=172.0, gt=0, le=1e4)
    distance_mm: float = Field(default=241.0, gt=0, le=1e5)
    aside_mm: float = Field(default=45.3, ge=-1e4, le=1e4, description="from the beam to the first pixel")
    photons_per_s: float = Field(default=30.0, ge=0, le=1e9, description="a pixel, in the middle of a line of 100")
    background: float = Field(default=0.05, ge=0, le=10, description="of that, at the first pixel; falls by half")
    graphite: float = Field(default=0.4, ge=0, le=100, description="its lines over those of the sample")
    crystallite_nm: float = Field(default=8.1, gt=0, le=1e4, description="size, which broadens the lines of the sample")
    resolution_per_A: float = Field(default=0.008, gt=0, le=1, description="width (fwhm) of any line")
    dead_pixels: int = Field(default=25, ge=0, le=10_000)
    polarisation: float = Field(default=0.95, ge=-1, le=1)
    phases: tuple[PhaseTruth, ...] = PEROVSKITE
    windows: PhaseTruth = GRAPHITE


class PowderTruth(ScenarioTable):
    """A powder in a cell, the detectors around it, and a monochromator that slips in large moves."""

    large_move_eV: float = Field(default=200.0, gt=0, le=1e5, description="moves that shift the energy")
    slip_eV: tuple[float, float] = Field(default=(0.2, 0.6), description="least and largest such shift")
    background: float = Field(default=0.3, ge=0, le=100, description="in the region, in units of the edge step")
    cell: CellTruth = CellTruth()
    elements: ElementTruth = ElementTruth()
    thermal: ThermalTruth = ThermalTruth()
    camera: CameraTruth = CameraTruth()
