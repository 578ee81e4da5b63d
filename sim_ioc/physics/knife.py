"""Counts of the photodiode behind the knife."""

from __future__ import annotations

from sim_ioc.physics.world import World


class KnifeDiode:
    """X-rays and laser behind two blades."""

    def __init__(self, world: World) -> None:
        self._world, self._truth, self._rng = world, world.scenario.knife, world.random("knife")

    def draw_noise(self) -> float:
        """Relative noise of the next count."""
        return float(self._rng.normal(0.0, self._truth.noise))

    def counts(self, start_s: float, end_s: float, noise: float) -> float:
        """Counts in a window, dark included, with the noise of `draw_noise`."""
        pieces = self._world.slices(start_s, end_s)
        light = sum(self._rate(0.5 * (each.start_s + each.end_s)) * (each.end_s - each.start_s) for each in pieces)
        return light * (1 + noise) + self._truth.dark_per_s * (end_s - start_s)

    def _rate(self, time_s: float) -> float:
        world, truth, scenario = self._world, self._truth, self._world.scenario
        blades, rate = world.blades.at(time_s), 0.0
        if world.xray_open.at(time_s):
            flux = world.beam_mA(time_s) / scenario.ring.current_mA
            rate += truth.xrays_per_s * flux * blades.xrays(truth, scenario.jet)
        if world.laser_open.at(time_s) and not scenario.laser.is_blocked:
            energy = world.fluence_mJ_cm2.at(time_s) / scenario.laser.highest_fluence_mJ_cm2
            rate += truth.laser_per_s * energy * blades.laser(truth, scenario.laser, world.laser_spot.at(time_s))
        return rate
