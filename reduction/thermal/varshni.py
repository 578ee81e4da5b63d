"""Shift of an absorption edge with temperature, as of the band gap (SI 8)."""

from __future__ import annotations

from dataclasses import dataclass

KELVIN = 273.15
"""0 degC."""


@dataclass(frozen=True)
class Varshni:
    """Band gap ``E(0) - alpha T^2 / (T + beta)`` (Varshni, Physica 34, 149 (1967)).

    The default is CsPbBr3: Diroll et al., Adv. Funct. Mater. 27, 1606750 (2017), as the SI quotes it.

    Attributes
    ----------
    alpha : float, eV/K
    beta : float, K
    """

    alpha: float = -7.3e-5
    beta: float = 314.0

    def gap(self, temperature: float) -> float:
        """Energy of the gap above that at 0 K, eV; temperature in degC."""
        kelvin = temperature + KELVIN
        return -self.alpha * kelvin**2 / (kelvin + self.beta)

    def shift(self, temperature: float, reference: float) -> float:
        """By how much the edge lies higher at a temperature than at the reference, eV; both in degC."""
        return self.gap(temperature) - self.gap(reference)
