"""Truth of the sample: its edges, their spectra and their transients."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ScenarioTable(BaseModel):
    """A table of the scenario: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TransientFeature(ScenarioTable):
    """A Gaussian of a transient spectrum."""

    energy_keV: float = Field(gt=1, lt=100)
    fwhm_eV: float = Field(gt=0, le=100)
    amplitude: float = Field(ge=-100, le=100)


class EdgeTruth(ScenarioTable):
    """An absorption edge: its static spectrum and its transient."""

    file: str = Field(pattern=r"^[A-Za-z0-9_]+\.csv$")
    folder: str = Field(default="", description="of the file, relative to the scenario; empty: that of the package")
    shift_eV: float = Field(ge=-50, le=50)
    background: float = Field(ge=0, le=100, description="flat background in units of the edge step")
    white_line_keV: float = Field(gt=1, lt=100)
    transient_fraction: float = Field(
        ge=-1, le=1, description="transient / static signal at the white line, 100 ps, nominal fluence"
    )
    features: tuple[TransientFeature, ...] = Field(min_length=1, max_length=50)


def _features(*rows: tuple[float, float, float]) -> tuple[TransientFeature, ...]:
    return tuple(TransientFeature(energy_keV=e, fwhm_eV=w, amplitude=a) for e, w, a in rows)


BR_K = EdgeTruth(
    file="br_k_bromide.csv",
    shift_eV=-3.1,
    background=0.5,
    white_line_keV=13.472,
    transient_fraction=-0.02,
    features=_features(
        (13.4675, 2.0, 0.6),
        (13.472, 2.2, -1.0),
        (13.4765, 2.5, 0.55),
        (13.485, 5.0, -0.25),
        (13.497, 6.0, 0.2),
        (13.508, 6.0, -0.15),
    ),
)
PB_L3 = EdgeTruth(
    file="pb_l3_lead_bromide.csv",
    shift_eV=0.0,
    background=0.6,
    white_line_keV=13.043,
    transient_fraction=-0.004,
    features=_features((13.031, 4.0, 0.5), (13.038, 4.0, 0.7), (13.043, 5.0, -1.0), (13.060, 10.0, 0.6)),
)


class SampleTruth(ScenarioTable):
    """Edges of the sample and its brightness."""

    mu_white_line: float = Field(default=0.15, gt=0, le=20, description="photons per pulse at the white line")
    edge_boundary_keV: float = Field(default=13.3, gt=1, lt=100, description="Pb L3 below, Br K above")
    br_k: EdgeTruth = BR_K
    pb_l3: EdgeTruth = PB_L3
    edges: dict[str, EdgeTruth] = Field(default_factory=dict)
    """More edges; each is used within 0.5 keV of its white line."""
