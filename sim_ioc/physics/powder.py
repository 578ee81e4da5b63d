"""State of a powder in its cell against beamline time, and what detectors see of it in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.powder_rings import RingCamera
from sim_ioc.physics.powder_spectrum import ElementCounts, PowderSpectrum, count_element
from sim_ioc.physics.world import World
from sim_ioc.scenario.powder import PowderTruth
from sim_ioc.timebase.lag import Lagged
from sim_ioc.timebase.timeline import Ramp, Timeline

_STREAM = 101  # separates these random numbers from those of `World`


class PowderWorld:
    """The powder in the beam of a `World`.

    Attributes
    ----------
    truth : PowderTruth
    rng : numpy.random.Generator
    sample_in : Timeline
        Whether there is a powder between the windows.
    """

    def __init__(self, world: World, truth: PowderTruth) -> None:
        self.world, self.truth = world, truth
        self.rng = np.random.default_rng([world.scenario.seed, _STREAM])
        self.spectrum = PowderSpectrum(truth, world.scenario.sample)
        self.camera = RingCamera(truth.camera, self.rng)
        cell = truth.cell
        self.sample_in = Timeline(True)
        self._start_inside = cell.inside_offset_K + cell.inside_slope * cell.start_degC
        at_rest = Ramp(0.0, 0.0, cell.start_degC, cell.start_degC)
        self._cell = Timeline(self._following(at_rest, self._start_inside))

    def _following(self, ramp: Ramp, first: float) -> Lagged:
        cell = self.truth.cell
        return Lagged(ramp, first, cell.lag_s, cell.inside_offset_K, cell.inside_slope)

    def ramp(self, ramp: Ramp) -> None:
        """The block begins a ramp."""
        self._cell.set(ramp.start_s, self._following(ramp, self.inside_degC(ramp.start_s)))

    def block_degC(self, time_s: float) -> float:
        """Temperature of the block."""
        return self._cell.at(time_s).ramp.at(time_s)

    def inside_degC(self, time_s: float) -> float:
        """Temperature of the sample."""
        return self._cell.at(time_s).at(time_s)

    def beam(self, time_s: float) -> float:
        """Intensity of the X-rays relative to that at the nominal current."""
        return self.world.beam_mA(time_s) / self.world.scenario.ring.current_mA if self.is_open(time_s) else 0.0

    def is_open(self, time_s: float) -> bool:
        """Whether the X-rays reach the cell."""
        return bool(self.world.xray_open.at(time_s))

    def element_counts(self, start_s: float, end_s: float) -> list[ElementCounts]:
        """Counts of each element in a window."""
        elements = self.truth.elements
        found = [ElementCounts() for _ in elements.solid_angle]
        for piece in self.world.slices(start_s, end_s):
            middle = 0.5 * (piece.start_s + piece.end_s)
            signal = float(self.spectrum(piece.energy_keV, self.inside_degC(middle))) * self.beam(piece.start_s)
            signal = signal if self.sample_in.at(piece.start_s) else 0.0
            for number, counts in enumerate(found):
                count_element(counts, self.rng, elements, number, signal, piece.end_s - piece.start_s)
        return found

    def image(self, start_s: float, end_s: float) -> NDArray[np.int32]:
        """An image of the area detector that was exposed in a window."""
        across, along = self.truth.camera.pixels[1], self.truth.camera.pixels[0]
        expected = np.zeros((across, along))
        for piece in self.world.slices(start_s, end_s):
            middle = 0.5 * (piece.start_s + piece.end_s)
            seconds = (piece.end_s - piece.start_s) * self.beam(piece.start_s)
            sample = self.sample_in.at(piece.start_s)
            expected += self.camera.expected(piece.energy_keV, self.inside_degC(middle), seconds, sample)
        return self.camera.image(self.rng, expected)
