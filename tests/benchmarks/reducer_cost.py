"""Cost of one event in the live reducer against its history, beside plain numpy on the same arrays.

Run with ``python -m tests.benchmarks.reducer_cost``. Prints milliseconds and ratios; passes nothing, fails nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.documents.raw import EVENT_KEYS
from reduction.live.reducer import LiveReducer

POINTS, PASSES, SEGMENTS = 124, 50, (1, 0, 0, 1)
WHOLE = 11
"""Passes through the whole callback."""
PATTERN = Pattern(24, 5, 0, 6.5173e6)


def numpy_update(hits: np.ndarray, gates: np.ndarray, flux: float) -> np.ndarray:
    """What the kernel does for a single dwell, in numpy without history: slot rates."""
    k, n = hits.astype(float), gates.astype(float)
    variance = k / (n * (n - k))
    mu = -np.log1p(-k / n) - variance / 2
    slots = [mu[s::5].mean() / flux for s in range(5)]
    errors = [np.sqrt(variance[s::5].sum()) / 24 / flux for s in range(5)]
    return np.array([slots, errors])


def documents(number: int, samples: np.ndarray, second: bool = False) -> Iterator[tuple[str, dict]]:
    """Raw documents of one pass, as the RunEngine would emit them, by one or two counters."""
    uid = f"raw {number}"
    settings = {"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57]}
    grid = np.linspace(13.45, 13.57, POINTS).tolist()
    about = {"scan_set": "set", "scan_index": number, "edge": "Br_K", "pump_delay": 100.0}
    if second:
        about["detectors"] = {name: {"kind": "counter", "device": name} for name in ("fpga", "fpga2")}
    yield "start", {"uid": uid, "grid": grid, "pattern": SEGMENTS, "settings": settings, **about}
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": 6.5173e6}
    keys = {key: {"shape": [120] if shape else []} for key, shape in EVENT_KEYS.items()}
    keys |= {key: {"shape": [120]} for key in ("fpga2_counts", "fpga2_gates") if second}
    descriptor = {"uid": f"d {number}", "run_start": uid, "name": "primary", "data_keys": keys}
    yield "descriptor", descriptor | {"configuration": {"timing": {"data": timing}}}
    fixed = {
        "attempt": 0,
        "quality": "good",
        "laser_phase": 0,
        "i0": 1e6,
        "i0_time": 1.0,
        "i0_gain": 1.0,
        "i0_dark": 1e3,
    }
    gates = np.full(120, 80_000, np.int32)
    for point in range(POINTS):
        for segment, laser in enumerate(SEGMENTS):
            place = {"point_index": point, "segment": segment, "laser_on": laser}
            counts = {"fpga_counts": samples[(point + segment) % 64].astype(np.int32), "fpga_gates": gates}
            if second:
                counts |= {"fpga2_counts": samples[(point + segment + 9) % 64].astype(np.int32), "fpga2_gates": gates}
            yield "event", {"descriptor": f"d {number}", "seq_num": 1, "data": fixed | place | counts}
    yield "stop", {"run_start": uid, "exit_status": "success"}


def pass_costs(reducer: LiveReducer, number: int, samples: np.ndarray, second: bool = False) -> dict[str, list[float]]:
    """Milliseconds of each document of a pass in the live callback, by its name."""
    costs: dict[str, list[float]] = {}
    for name, doc in documents(number, samples, second):
        began = time.perf_counter()
        reducer(name, doc)
        costs.setdefault(name, []).append(1e3 * (time.perf_counter() - began))
    return costs


def whole_callback(samples: np.ndarray) -> None:
    """Cost of an event in the live callback, from raw to reduced document, with one counter and with two."""
    print("the whole live callback, from raw to reduced document, and at the end of a pass")
    medians: dict[bool, float] = {}
    for second in (False, True):
        reducer = LiveReducer(lambda name, doc: None)
        print(f"{1 + second} counter{'s' if second else ''}")
        for number in range(WHOLE):
            costs = pass_costs(reducer, number, samples, second)
            medians[second] = float(np.median(costs["event"][5:]))
            if number in (0, 1, WHOLE - 1):
                tail = np.percentile(costs["event"][5:], 99)
                print(f"{number:>14} {medians[second]:>12.4f} {tail:>10.4f} {costs['stop'][0]:>12.1f}")
    print(f"a dwell with two counters / with one: {medians[True] / medians[False]:.2f}")


def main() -> None:
    rng = np.random.default_rng(1)
    gates = np.full(120, 80_000)
    samples = rng.binomial(gates, 0.14, (64, 120))
    sums = CountingAccumulator(PATTERN, POINTS, 1e-3)
    costs: list[list[float]] = []
    plain: list[float] = []
    for number in range(PASSES):
        costs.append([])
        for point in range(POINTS):
            for segment, laser in enumerate(SEGMENTS):
                hits = samples[(point + segment) % 64]
                dwell = Dwell(str(number), point, segment, 0, bool(laser), "good", 0.15, hits, gates, 0)
                began = time.perf_counter()
                sums.add(dwell)
                middle = time.perf_counter()
                numpy_update(hits, gates, 0.15)
                costs[-1].append(middle - began)
                plain.append(time.perf_counter() - middle)
    reference = np.median(plain)
    print("live update of a point, in one run with plain numpy for a single dwell without history")
    print(f"{'passes before':>14} {'median / ms':>12} {'p99 / ms':>10} {'median / numpy':>15}")
    for number in (0, 1, 10, 25, PASSES - 1):
        milliseconds = 1e3 * np.array(costs[number][5:])
        ratio = np.median(milliseconds) / (1e3 * reference)
        print(f"{number:>14} {np.median(milliseconds):>12.4f} {np.percentile(milliseconds, 99):>10.4f} {ratio:>15.2f}")
    whole_callback(samples)
    began = time.perf_counter()
    sums.result()
    print(f"re-sum of {POINTS} points x {PASSES} passes: {1e3 * (time.perf_counter() - began):.2f} ms")


if __name__ == "__main__":
    main()
