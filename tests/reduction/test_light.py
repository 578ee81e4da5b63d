"""Light of the laser between two slots: either sign of the delay, any slot, light lost between two gates, and none."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.findings.light import Light, LightScan, find_light
from reduction.findings.rise import fit_rise
from tests.reduction.test_time_zero import RISE, response

SPACING, SLOTS, TOLERANCE = 153_440.0, 5, 4_000.0


def scan_of(settings: list[float], off: float, sign: int, light: float = 1e-4, gap: float = 0.0) -> LightScan:
    """Photons of a second; the light is in the slot whose pulse the laser is nearest to, but within the gap in none."""
    rng, gates = np.random.default_rng(3), 1_300_000
    hits = rng.poisson(1e-6 * gates, (len(settings), SLOTS))
    for row, setting in zip(hits, settings, strict=True):
        place = -sign * (setting - off) / SPACING  # of the laser, in slots
        if abs(place - np.floor(place) - 0.5) * SPACING >= 0.5 * gap:
            row[round(place) % SLOTS] += rng.poisson(light * gates)
    return LightScan(np.array(settings), hits / gates, np.maximum(hits, 1) / gates**2, SPACING, TOLERANCE)


def looked_for(off: float, sign: int, **changes: float) -> Light | None:
    """The light after delays in the middle of what is left, as the plan has them."""
    settings = [0.0, SPACING] if find_light(scan_of([0.0, SPACING], off, sign, **changes)) else [0.4e5, 0.4e5 + SPACING]
    for _ in range(8):
        found = find_light(scan_of(settings, off, sign, **changes))
        if found is None or found.late - found.early < 2_000.0:
            return found
        settings.append(0.5 * (found.early + found.late))
    return found


@pytest.mark.parametrize("off", [-300_000.0, -1_000.0, 76_000.0, 77_500.0, 400_000.0])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0.0, 3_000.0])
def test_the_light_shows_the_onset_within_some_ns(off: float, sign: int, gap: float) -> None:
    """The onset is where sign * delay + slot * spacing is that of coincidence in slot 0."""
    found = looked_for(off, sign, gap=gap)
    assert found is not None and found.onset.sign == sign
    period, middle = SPACING * SLOTS, 0.5 * (found.onset.low + found.onset.high)
    away = (sign * off - middle + 0.5 * period) % period - 0.5 * period
    half = 0.5 * (found.onset.high - found.onset.low)
    assert abs(away) <= half < TOLERANCE + 1_100.0


def test_without_light_or_with_two_slots_nothing_is_said() -> None:
    assert looked_for(10_000.0, 1, light=0.0) is None
    seen = scan_of([0.0, SPACING], 10_000.0, 1)
    two = LightScan(seen.setting, seen.photons[:, :2] + 1e-4 * np.eye(2), seen.variance[:, :2], SPACING, TOLERANCE)
    assert find_light(two) is None


def test_counts_where_they_say_most_save_beam_time() -> None:
    """Against evenly spaced delays; on the same rise with the same number of counts."""
    rng, error = np.random.default_rng(8), 1e-3

    def fitted(delay: np.ndarray) -> tuple[float, float]:
        value = np.array([-0.03 * response(each) for each in delay]) + error * rng.standard_normal(delay.size)
        found = fit_rise(delay, value, np.full(delay.size, error**2))
        return found.zero_stddev, found.zero

    first = fit_rise(RISE, np.array([-0.03 * response(each) for each in RISE]), np.full(RISE.size, error**2))
    best = np.concatenate([RISE, first.best_delays(error**2, 8 * RISE.size)])
    even, _ = fitted(np.tile(np.linspace(-160.0, 900.0, RISE.size), 9))
    chosen, zero = fitted(best)
    assert chosen**2 < 0.75 * even**2 and abs(zero) < 4 * chosen
