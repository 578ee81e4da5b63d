"""Variogram of the noise of dwells, and what its parts do to rhythms and dwells of other lengths."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows
from reduction.references.noise_spectrum import NONE, NoiseSpectrum, variogram

STEP, SIZE = 0.05, 0.01
DWELL, SPACING = 1.5, 1.65
RHYTHMS = [((1, 0, 0, 1), 1.5), ((1, 0, 1), 1.5), ((1, 1, 0, 1, 1), 1.5), ((1, 0, 0, 1), 0.5), ((1, 0, 0, 1), 6.0)]
EXPONENTS = {"white": 0.0, "1/f": 0.5, "walk": 1.0}
"""Of the amplitude over the frequency."""


def noise(kind: str) -> np.ndarray:
    """A long series in steps of `STEP` whose power falls with the frequency, by Fourier transformation."""
    rng, number = np.random.default_rng(3), 2**19
    frequency = np.fft.rfftfreq(number, STEP)
    amplitude = np.zeros(frequency.size)
    amplitude[1:] = frequency[1:] ** -EXPONENTS[kind]
    random = rng.standard_normal((2, frequency.size))
    series = np.fft.irfft(amplitude * (random[0] + 1j * random[1]), number)
    return SIZE * series / series.std()


def averages(series: np.ndarray, dwell: float) -> np.ndarray:
    """Means over a dwell that begins at each step."""
    total, length = np.concatenate([[0.0], np.cumsum(series)]), round(dwell / STEP)
    return (total[length:] - total[:-length]) / length


def scatter(series: np.ndarray, pattern: tuple[int, ...], dwell: float) -> float:
    """Of on less off in a rhythm that begins anywhere, over that of independent dwells of unit scatter."""
    on = np.array(pattern, bool)
    weight = np.where(on, 1 / on.sum(), -1 / (~on).sum())
    mean, apart = averages(series, dwell), round((dwell + SPACING - DWELL) / STEP)
    length = mean.size - apart * on.size
    sums = sum(each * mean[place * apart : place * apart + length] for place, each in enumerate(weight))
    return float(np.sqrt((sums**2).mean() / (weight**2).sum()))


def rows_of(series: np.ndarray, points: int = 1800, counting: float = 0.0) -> DwellRows:
    """On-off-off-on twice at each point, of one slot with 0.3 photons a pulse and a counting error."""
    mean, states = averages(series, DWELL), np.tile(np.array([1, 0, 0, 1], np.int8), 2)
    begin = np.arange(points)[:, None] * 8 * 1.75 + np.arange(8) * SPACING
    rng = np.random.default_rng(5)
    level = mean[np.rint(begin / STEP).astype(int)] + counting * rng.standard_normal(begin.shape)
    mu = 0.3 * np.exp(level - 0.02 * states)
    none = np.zeros((*mu.shape, 1, 0))
    variance = np.full((*mu.shape, 1), (0.3 * counting) ** 2)
    ones = np.ones_like(mu)
    return DwellRows(
        np.zeros(8, np.int64), np.tile(states, (points, 1)), ones, ones, mu[..., None], variance, none, begin
    )


@pytest.mark.parametrize("kind", list(EXPONENTS))
def test_other_rhythms_and_dwells_scatter_as_foreseen(kind: str) -> None:
    """Also with errors of counting of the size of the noise, which are taken off."""
    series = noise(kind)
    size = float(np.diff(averages(series, DWELL)[:: round(DWELL / STEP)]).std())
    for counting, tolerance in ((0.0, 0.05), (size, 0.12)):
        found, *_ = NoiseSpectrum.of(variogram(rows_of(series, counting=counting)), DWELL)
        for pattern, dwell in RHYTHMS:
            foreseen = found.of_rhythm(pattern, dwell, dwell + SPACING - DWELL)
            assert foreseen == pytest.approx(scatter(series, pattern, dwell), rel=tolerance), (pattern, dwell)


def test_the_noise_of_readings_is_the_same_for_every_dwell() -> None:
    found, *_ = NoiseSpectrum.of(variogram(rows_of(noise("white"))), DWELL, i0_noise=1.0)
    assert found.white < 1e-3 * SIZE**2
    short, long = (found.of_rhythm((1, 0, 0, 1), dwell, dwell) for dwell in (0.5, 5.0))
    assert short == pytest.approx(long, rel=0.02)


def test_without_repeated_dwells_nothing_is_known() -> None:
    rows = rows_of(noise("1/f"), points=20)
    assert NoiseSpectrum.of(NONE, DWELL) == ()
    assert np.isnan(variogram(DwellRows(*[getattr(rows, name) for name in (
        "pass_index", "state", "weight", "flux", "slot_mu", "slot_var", "slot_shift")])).variance).all()  # fmt: skip
    assert np.isnan(variogram(rows).variance[1])  # on-off-off-on twice: no two dwells of a state are two apart


def test_few_dwells_leave_several_spectra() -> None:
    """Among them that of the truth, where many leave one."""
    few, many = (NoiseSpectrum.of(variogram(rows_of(noise("white"), points, SIZE / 4)), DWELL) for points in (12, 1800))
    assert len(few) > len(many)
    assert any(each.flicker > 0 for each in few) and any(each.white > 0 for each in few)
    assert many[0].flicker == 0


def test_dwells_that_are_not_there_are_left_out() -> None:
    """Without photons, and without I0: no warning, and the variogram of the others."""
    rows = rows_of(noise("white"), points=200)
    dark, empty = rows.slot_mu.copy(), rows.state.copy()
    dark[:100] = 0.0
    empty[:100] = EMPTY
    flux = np.where(empty == EMPTY, 0.0, rows.flux)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = variogram(replace(rows, slot_mu=dark, state=empty, flux=flux))
        unlit = variogram(replace(rows, slot_mu=dark))
    others = {name: getattr(rows, name)[100:] for name in ("state", "weight", "flux", "slot_mu", "slot_var", "time")}
    expected = variogram(replace(rows, slot_shift=rows.slot_shift[100:], **others))
    assert np.array_equal(found.variance, expected.variance, equal_nan=True)
    assert np.array_equal(unlit.variance, expected.variance, equal_nan=True)
