"""Hits by phase from other libraries, on the same array."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from beamline.studies.bench.kernels import hit_counter
from beamline.studies.bench.rows import BenchRow, absent
from beamline.studies.bench.shots import NUM_PHASES, ExampleShots
from beamline.studies.bench.timing import Work, interleaved, ratio

Count = Callable[[], np.ndarray]
WANTED = {"numpy": (8.0, 15.0), "scipp": (40.0, 75.0), "boost_histogram": (80.0, 150.0), "pandas": (200.0, 400.0)}
"""Time of the other library over that of the kernel: must and goal."""
TURNS = 10
"""Calls of the kernel per call of another library, which takes much longer."""
TITLES = {
    "numpy": "numpy reshape-sum",
    "scipp": "scipp hist",
    "boost_histogram": "boost-histogram",
    "pandas": "pandas groupby",
}


def with_numpy(hits: np.ndarray, phase: np.ndarray) -> Count:
    """Reshape to turns of the pattern and sum over them."""
    return lambda: hits.reshape(-1, NUM_PHASES).sum(axis=0)


def with_scipp(hits: np.ndarray, phase: np.ndarray) -> Count:
    """A weighted histogram of the phase."""
    import scipp

    data = scipp.DataArray(
        scipp.array(dims=["shot"], values=hits.astype(np.float64)),
        coords={"phase": scipp.array(dims=["shot"], values=phase.astype(np.float64))},
    )
    boundaries = scipp.arange("phase", -0.5, NUM_PHASES, 1.0)
    return lambda: data.hist(phase=boundaries).values


def with_boost_histogram(hits: np.ndarray, phase: np.ndarray) -> Count:
    """A weighted histogram over an integer axis."""
    import boost_histogram

    def count() -> np.ndarray:
        histogram = boost_histogram.Histogram(boost_histogram.axis.Integer(0, NUM_PHASES))
        histogram.fill(phase, weight=hits)
        return np.asarray(histogram.view())

    return count


def with_pandas(hits: np.ndarray, phase: np.ndarray) -> Count:
    """Group by phase and sum."""
    import pandas

    frame = pandas.DataFrame({"phase": phase, "hit": hits})
    return lambda: frame.groupby("phase")["hit"].sum().to_numpy()


MAKERS = {"numpy": with_numpy, "scipp": with_scipp, "boost_histogram": with_boost_histogram, "pandas": with_pandas}


def measure(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Rows of all installed libraries, after comparing their results with the kernel's.

    Additional input, such as the phase of each shot, is prepared outside the measured time.

    Raises
    ------
    AssertionError
        If a result differs.
    """
    whole = second.hits.size // NUM_PHASES * NUM_PHASES
    hits = second.hits[:whole]
    phase = (np.arange(whole) % NUM_PHASES).astype(np.int32)
    kernel = hit_counter(ExampleShots(hits, second.heights, second.floats))
    counts: dict[str, Count] = {name: make(hits, phase) for name, make in MAKERS.items() if find_spec(name)}
    for count in counts.values():
        np.testing.assert_array_equal(np.asarray(count(), np.int64), kernel())
    works: dict[str, Work] = {**{f"kernel {turn}": kernel for turn in range(TURNS)}, **counts}
    seconds = interleaved(works, rounds)
    seconds["kernel"] = np.concatenate([seconds[f"kernel {turn}"] for turn in range(TURNS)])
    rows = []
    for name, (must, goal) in WANTED.items():
        title = f"{TITLES[name]} time / kernel time"
        if name in counts:
            rows.append(BenchRow(title, ratio(seconds, name, "kernel"), must, goal))
        else:
            rows.append(absent(title, must, goal, name))
    return rows
