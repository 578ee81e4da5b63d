"""Parts of the paper's figures: whether C is the same at all delays, and the drawing of the structure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from beamline.outputs.paper_figures.constancy import constant_with_delay
from beamline.outputs.paper_figures.structure import atoms

ENERGY = np.array([13.460, 13.468, 13.469, 13.471, 13.472, 13.480])


def result(values: list[list[float]], common: float = 0.0) -> Any:
    """Transients of slots with an error of 0.1 at each energy, of which slots share a part."""
    slots = len(values)
    of_all = 0.01 * np.einsum("st,ef->stef", common + (1 - common) * np.eye(slots), np.eye(6))
    data = {
        "energy": ENERGY, "transient": np.array(values), "transient_slot_covariance": of_all,
        "transient_covariance": np.einsum("ssef->sef", of_all),
    }  # fmt: skip
    return SimpleNamespace(start={"edge": "Br_K"}, data=data)


def test_c_that_is_the_same_at_all_delays_has_no_chi_square() -> None:
    one = result([[0, 1, 1, -2, -2, 0], [0, 0.5, 0.5, -1, -1, 0]])
    found = constant_with_delay([(one, 0), (one, 1)])
    assert found is not None and found.dof == 1
    assert found.value == pytest.approx(-2, rel=1e-3) and found.chi_square == pytest.approx(0, abs=1e-5)
    assert constant_with_delay([(one, 0)]) is None


def test_c_that_changes_is_weighed_with_what_slots_share() -> None:
    """Numerators 1 and -1 over 10: the ratios 0.1 and -0.1, each +- 0.1 / sqrt(2) / 10, so (0.2 / 0.01)^2 nearly."""
    values = [[0.0, 10, 10, 1, 1, 0], [0.0, 10, 10, -1, -1, 0]]
    apart = [result(values[:1]), result(values[1:])]
    alone = constant_with_delay([(each, 0) for each in apart])
    together = result(values, 0.75)
    shared = constant_with_delay([(together, slot) for slot in (0, 1)])
    assert alone is not None and shared is not None
    assert alone.chi_square == pytest.approx(400, rel=0.02)
    assert shared.chi_square == pytest.approx(4 * alone.chi_square, rel=0.05)


def test_the_drawn_octahedra_are_tilted_and_share_corners() -> None:
    found = list(atoms())
    leads, bromines = (np.array([at for name, at in found if name == each]) for each in ("Pb", "Br"))
    assert len(leads) == 27 and len(bromines) == 54
    away = np.linalg.norm(bromines[:, None] - leads, axis=2)
    nearest = np.argsort(away, axis=1)[:, :2]
    sides = leads[nearest] - bromines[:, None]
    cosine = np.einsum("bi,bi->b", *sides.transpose(1, 0, 2)) / np.prod(np.linalg.norm(sides, axis=2), axis=1)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(158, abs=6)
