"""Numbers of the paper that follow from others, and contradictions between them."""

from __future__ import annotations

import numpy as np

from beamline.studies.paper.number import PaperNumber
from reduction.spectra import photoexcitation
from reduction.traces.kinetics.model import RESPONSE, components

RF_MHZ, HARMONIC, BUNCHES, DIVIDER = 351.933984, 1296, 24, 5
PUMP_NM, EMISSION_NM = 355.0, 516.0
FLUENCE, ABSORBED, DENSITY = 8.8, 7.15, 1.7
"""mJ/cm2 on the sample, mJ/cm2 absorbed (SI 8), optical density (table S1)."""
LIFETIMES, LIFETIME_ERRORS = (120.0, 900.0), (20.0, 300.0)
FRACTIONS = (0.60, 0.21, 0.19)
DELAYS = (100.0, 10_100.0, 163_538.0)
AREA_FACTORS = (155.0, 363.0, 976.0)
DRAWS = 4000


def bunch_spacing() -> float:
    """ns between bunches in 24-bunch mode."""
    return 1e3 * HARMONIC / BUNCHES / RF_MHZ


def kinetic_factors() -> tuple[np.ndarray, np.ndarray]:
    """Inverse area factors at 10.1 and 163.5 ns from the published kinetics and the first factor.

    Returns
    -------
    (ndarray, ndarray), shape (2,)
        Values, and their errors from the lifetimes (fractions are published without errors).
    """
    rng = np.random.default_rng(0)
    drawn = [np.maximum(rng.normal(LIFETIMES, LIFETIME_ERRORS), 10.0) for _ in range(DRAWS)]

    def factors(lifetimes: np.ndarray) -> np.ndarray:
        size = components(DELAYS, [*lifetimes, np.inf], RESPONSE) @ FRACTIONS
        return np.asarray(AREA_FACTORS[0] * size[0] / size[1:])

    return factors(np.array(LIFETIMES)), np.std([factors(each) for each in drawn], axis=0)


def arithmetic() -> list[PaperNumber]:
    """All numbers that need no measurement."""
    spacing = bunch_spacing()
    heat = photoexcitation.heat_fraction(PUMP_NM, EMISSION_NM, 0.9)
    absorbed = photoexcitation.absorbed_fluence(FLUENCE, DENSITY)
    mean = photoexcitation.photons_of_fluence(photoexcitation.mean_fluence(FLUENCE, DENSITY), PUMP_NM)
    energy = photoexcitation.photon_energy
    heating = photoexcitation.heating(ABSORBED, 0.41, 5.8, 200, 215)
    shift = photoexcitation.varshni_shift(-7.3e-5, 314, 25, 140)
    factors, errors = kinetic_factors()
    return [
        PaperNumber("X-ray pulses", "MHz", 6.52, 1e3 / spacing, "Methods, SI 2", "RF x 24 / 1296"),
        PaperNumber("laser pulses", "MHz", 1.304, 1e3 / spacing / DIVIDER, "Methods, SI 2", "a fifth of it"),
        PaperNumber("pulse spacing", "ns", 153.4, spacing, "SI 2", "inverse rate"),
        PaperNumber("third delay", "ns", 163.5, 10.1 + spacing, "SI 2", "10.1 ns and one pulse later"),
        PaperNumber("pump photon", "eV", 3.49, energy(PUMP_NM), "Methods", "hc / 355 nm"),
        PaperNumber("above the gap", "eV", 1.1, energy(PUMP_NM) - energy(EMISSION_NM), "Methods", "less hc / 516 nm"),
        PaperNumber("photocarriers", "", 1000, photoexcitation.photocarriers(7.6e19, 1.3e7, 1e-24), "SI 6", "F mu V"),
        PaperNumber("absorbed photons", "1e19/m2", 7.6, mean / 1e19, "SI 6", "8.8 mJ/cm2, depth mean at 1.7 OD"),
        PaperNumber("absorbed fluence", "mJ/cm2", ABSORBED, absorbed, "SI 8", "8.8 mJ/cm2 x (1 - 10^-1.7)"),
        PaperNumber("fraction of heat", "", 0.41, heat, "SI 8", "1 - 0.9 x 355/516"),
        PaperNumber("heating", "K", 120, heating, "SI 8", "F a / (c d cp)"),
        PaperNumber(
            "band gap 25-140 C", "meV", 6.5, 1e3 * shift, "SI 8", "Varshni"
        ),
        PaperNumber("response sigma", "ps", RESPONSE, np.hypot(80, 10) / 2.3548, "p. 9", "80 ps and 10 ps pulses"),
        PaperNumber("Pb, s per point a scan", "s", 5.0, 5 * 54 / 56, "SI 2, 4", "5 x 54 s over 56 scans"),
        PaperNumber("Br, s per point a scan", "s", 48 / 8, 66 / 11, "SI 2, 4", "48 s / 8 scans, and 66 s / 11"),
        PaperNumber(
            "area factor 10.1 ns", "", 363, float(factors[0]), "Fig. 2", "155 x published kinetics",
            error=float(errors[0]),
        ),
        PaperNumber(
            "area factor 163.5 ns", "", 976, float(factors[1]), "Fig. 2", "155 x published kinetics",
            error=float(errors[1]),
        ),
    ]  # fmt: skip


def contradictions() -> list[str]:
    """Contradictions, with their numbers."""
    factors, errors = kinetic_factors()
    spacing = bunch_spacing()
    lifetime = spacing / np.log(AREA_FACTORS[2] / AREA_FACTORS[1])
    at_100 = float((components(DELAYS[:1], [*LIFETIMES, np.inf], RESPONSE) @ FRACTIONS)[0])
    fraction = at_100 * AREA_FACTORS[0] / AREA_FACTORS[1]
    photocarrier_fluence = 7.6e19 * photoexcitation.photon_energy(PUMP_NM) * photoexcitation.ELEMENTARY_CHARGE / 10
    absorbed = photoexcitation.absorbed_fluence(FLUENCE, DENSITY)
    flight = 4.0 * spacing * DIVIDER * 1e-3  # um
    return [
        f"Area factors against kinetics: a flat offset of 19 % makes the transients at 10.1 and 163.5 ns equally large,"
        f" so both factors would be {factors[0]:.0f} +- {errors[0]:.0f}, not 363 and 976. 163.5 ns is 10.1 ns and one"
        f" pulse later, so 976/363 needs a decay with {lifetime:.0f} ns there, which is no offset (it loses"
        f" {100 * (1 - np.exp(-130 / lifetime)):.0f} % within the 130 ns of the time traces); and 363/155 needs it to"
        f" begin with {100 * fraction:.0f} % of the signal instead of 19 %. The areas are of |signal|, which noise"
        f" makes larger, so noise would push 976 down, not up: it does not explain the difference.",
        f"A flat offset against SI 5: what does not decay is there before time zero too, {spacing * DIVIDER:.0f} ns"
        f" after the pump before, and the level before time zero is what SI 5 sets to zero. An offset of 19 % that is"
        f" seen at all has decayed within {spacing * DIVIDER:.0f} ns, or the spot was fresh, which it was not (below).",
        f"Absorbed fluence: 8.8 mJ/cm2 on 1.7 OD leaves {absorbed:.2f} mJ/cm2 in the jet; the heating takes {ABSORBED},"
        f" and the photocarriers' 7.6e19 photons/m2 are {photocarrier_fluence:.2f} mJ/cm2. One pulse cannot have"
        f" deposited all three; with {absorbed:.2f} the heating is"
        f" {photoexcitation.heating(absorbed, 0.41, 5.8, 200, 215):.0f} K.",
        f"Fraction of heat: a quantum yield of 0.9 and emission at 516 nm give"
        f" {photoexcitation.heat_fraction(PUMP_NM, EMISSION_NM, 0.9):.2f}; 0.41 would be a yield of"
        f" {(1 - 0.41) / (PUMP_NM / EMISSION_NM):.2f}.",
        f"Time resolution: a response with sigma = 45 ps is {2.3548 * 45:.0f} ps wide (FWHM), not about 80 ps; 80 ps is"
        f" the X-ray pulse alone. 45 ps needs {np.sqrt(45**2 - (np.hypot(80, 10) / 2.3548) ** 2):.0f} ps (sigma) of"
        f" jitter beside the two pulses.",
        f"Fresh spot: at 4 m/s the jet moves {flight:.1f} um from pump to pump, the laser spot is 45 um wide; a probed"
        f" spot has seen about {45 / flight:.0f} pumps. It is fresh only to the next probe of the same pump"
        f" ({flight / DIVIDER:.2f} um).",
    ]
