"""Numbers computed from the readings of a detector and read together with them; they have no record of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ophyd import Signal

from devices.base.bulk_read import fetch
from devices.base.signals import PolledReadback

Readings = Mapping[str, Mapping[str, Any]]


class Computed(Signal):
    """A number computed from sibling signals of the same reading.

    Parameters
    ----------
    inputs : tuple of str
        Attributes of the device, each a `PolledReadback` signal.
    function : callable
        Computes the number from their values.
    units : str, optional
    precision : int
        Decimals that tables show.
    """

    def __init__(
        self,
        *args: Any,
        inputs: tuple[str, ...],
        function: Callable[..., float],
        units: str | None = None,
        precision: int = 6,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._inputs, self._function, self._units, self._precision = inputs, function, units, precision

    @property
    def sources(self) -> list[PolledReadback]:
        """The signals that it is computed from."""
        return [getattr(self.parent, attribute) for attribute in self._inputs]

    def of(self, readings: Readings) -> dict[str, dict[str, Any]]:
        """Reading of this number, given the readings of its sources."""
        entries = [readings[signal.name] for signal in self.sources]
        value = float(self._function(*(entry["value"] for entry in entries)))
        return {self.name: {"value": value, "timestamp": max(entry["timestamp"] for entry in entries)}}

    def read(self) -> dict[str, dict[str, Any]]:
        return self.of(fetch(self.sources))

    def get(self, **_: Any) -> float:
        return float(self.read()[self.name]["value"])

    def describe(self) -> dict[str, dict[str, Any]]:
        source = f"COMPUTED:{','.join(signal.name for signal in self.sources)}"
        entry: dict[str, Any] = {"source": source, "dtype": "number", "shape": [], "dtype_numpy": "<f8"}
        entry["precision"] = self._precision
        return {self.name: entry | ({"units": self._units} if self._units else {})}
