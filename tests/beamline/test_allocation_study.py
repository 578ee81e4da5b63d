"""Campaigns that stop by the predicted error: a few of each quantity, as the study draws them."""

from __future__ import annotations

import numpy as np
import pytest

from beamline.studies.allocation.cases import AllocationCase, cases
from beamline.studies.allocation.table import studied

CASES = {case.title: case for case in cases()}


@pytest.mark.parametrize("title", ["C(Br, 100 ps)", "linear range"])
def test_campaigns_end_at_the_time_that_was_forecast(title: str) -> None:
    """The mean of a few: within a tenth of the forecast, and no deviation beyond five errors."""
    of_case(CASES[title], 15, 0.1)


@pytest.mark.long
@pytest.mark.parametrize("title", CASES)
def test_intervals_of_campaigns_hold_the_truth_as_often_as_they_claim(title: str) -> None:
    found = of_case(CASES[title], 400, 0.1)
    assert abs(found[:, 0].mean()) < 4 / np.sqrt(400) * np.sqrt((found[:, 1] ** 2).mean())
    for held, level in zip(found[:, 2:].T, (0.683, 0.954), strict=True):
        assert abs(held.mean() - level) < 0.02 + 3 * np.sqrt(level * (1 - level) / 400)


def of_case(case: AllocationCase, campaigns: int, close: float) -> np.ndarray:
    """Deviation, error, and whether the intervals hold the truth, of each campaign."""
    row = studied(case, campaigns)
    seconds = np.mean([one.seconds for one in row.results])
    assert seconds / row.plan.seconds == pytest.approx(1.0, abs=close)
    pulls = [one.pull for one in row.results if one.pull is not None]
    assert len(pulls) > 0.95 * campaigns
    found = np.array([[one.deviation, one.error, *one.held] for one in pulls])
    assert np.abs(found[:, 0] / found[:, 1]).max() < 5
    return found
