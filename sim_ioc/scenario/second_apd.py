"""The truth of a scenario as its second APD sees it."""

from __future__ import annotations

from sim_ioc.scenario.sample import EdgeTruth
from sim_ioc.scenario.scenario import Scenario, ScenarioError


def of_second_apd(scenario: Scenario) -> Scenario:
    """The truth as the second APD sees it: its light, its background, its counting chain.

    Raises
    ------
    ScenarioError
        If the scenario has none.
    """
    second, sample = scenario.apd2, scenario.sample
    if second is None:
        raise ScenarioError("the scenario has no table [apd2]")

    def seen(edge: EdgeTruth) -> EdgeTruth:
        return edge.model_copy(update={"background": edge.background * second.background})

    edges = {name: seen(edge) for name, edge in sample.edges.items()}
    light = sample.mu_white_line * second.solid_angle
    own = {"mu_white_line": light, "br_k": seen(sample.br_k), "pb_l3": seen(sample.pb_l3), "edges": edges}
    laser_only = scenario.laser.background_per_gate * second.laser_light
    laser = scenario.laser.model_copy(update={"background_per_gate": laser_only})
    return scenario.model_copy(update={"detector": second, "sample": sample.model_copy(update=own), "laser": laser})
