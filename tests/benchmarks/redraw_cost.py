"""Processor time of a redraw of each page of the live figure over a night of passes, and the memory that it holds.

Run it with ``python -m tests.benchmarks.redraw_cost [--passes N] [--points N] [--redraws N]``: passes of 200 points, 5
slots and four dwells a point, the first one from the live reducer, go into all pages; the last one, the drift page
again, is of a scan that names quantities. In some passes each page is redrawn after every 40th dwell, as a window
redraws, and the time printed is the median. ``end`` is its redraw at the end of a
pass, ``predicted`` what is computed beside it then, and ``all anew`` a redraw with every tick and label. In the end the
scan page is redrawn some thousand times.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import SIZE
from beamline.outputs.live_figure.pages import PAGES
from beamline.outputs.live_figure.view import LiveView
from plans.compilation.edges import find_edge
from reduction.live.reducer import LiveReducer
from tests.beamline.configurations import FORECAST
from tests.benchmarks import reducer_cost

Document = tuple[str, dict[str, Any]]
TARGETS = "targets"
"""The drift page of a scan that names quantities."""
PASSES, POINTS, EVERY, REDRAWS = 200, 200, 40, 3_000
MACHINE = {"mono_energy": 13.47, "ring_current": 101.9, "laser_lock_error": 0.3, "laser_locked": 1}
BEGAN = 1.7e9
UIDS = ("uid", "run_start", "descriptor", "analysis_of")
"""Entries of documents that are other ones in another pass."""


def resident() -> float:
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def counts(data: dict[str, Any], points: int, rng: np.random.Generator) -> np.ndarray:
    """Hits of a dwell at an edge, with a transient that decays from slot to slot, shape (120,)."""
    energy = 13.45 + 0.12 * data["point_index"] / (points - 1)
    transient = 0.1 * data["laser_on"] * np.exp(-(((energy - 13.4765) / 1e-3) ** 2) - np.arange(120) % 5)
    photons = (0.02 + 0.13 / (1 + np.exp((13.472 - energy) / 1e-3))) * (1 + transient)
    return rng.binomial(data["fpga_gates"], -np.expm1(-photons)).astype(np.int32)


def one_pass(passes: int, points: int) -> list[Document]:
    """Documents of a pass, a dwell a second, each raw one followed by those of the live reducer."""
    reducer_cost.POINTS = points
    found: list[Document] = []
    dwells = points * len(reducer_cost.SEGMENTS)
    about = {"passes": passes, "num_points": points, "num_events": dwells, "sample": "bromide", "mode": "sim"}
    reducer, rng = LiveReducer(lambda name, doc: found.append((name, dict(doc)))), np.random.default_rng(1)
    seconds = iter(range(1, dwells + 1))
    for name, doc in reducer_cost.documents(0, rng.binomial(80_000, 0.14, (64, 120))):
        if name == "start":
            doc |= {**about, "plan_name": "energy_scan"}
        elif name == "event":
            doc["data"] |= {**MACHINE, "ring_current": 101.9 + 0.3 * rng.standard_normal()}
            doc["data"]["fpga_counts"] = counts(doc["data"], points, rng)
            doc["seq_num"] = next(seconds)
        whole = {**doc, "time": BEGAN + doc.get("seq_num", 0)}
        found.append((name, whole))
        reducer(name, whole)
    return found


def again(doc: dict[str, Any], number: int, dwells: int) -> dict[str, Any]:
    """A document of the pass as that of a later one."""
    changed: dict[str, Any] = {key: f"{doc[key]} {number}" for key in UIDS if key in doc}
    if "scan_set" in doc:
        changed |= {"scan_index": number, "scan_id": number + 1}
    if "analysis_of" in doc:
        changed["accumulates"] = [f"{doc['analysis_of']} {earlier}" for earlier in range(number)]
    return {**doc, **changed, "time": doc["time"] + number * (dwells + 10.0)}


def named(doc: dict[str, Any], forecast: Path) -> dict[str, Any]:
    """A start document with a quantity that is wanted, others as they are."""
    if "grid" not in doc:
        return doc
    edge = find_edge("Br_K").document()
    about = {"forecast": str(forecast), "dwell": 1.0, "scan_axis": "mono_energy", "absorption_edge": edge}
    return {**doc, **about, "target": [["transient(slot=0, energy=13.472)", 1e-5]]}


def views(root: Path) -> dict[str, LiveView]:
    """A view of each page, and `TARGETS`."""
    found = {}
    for page in (*PAGES, TARGETS):
        figure = Figure(figsize=SIZE, dpi=100)
        FigureCanvasAgg(figure)
        found[page] = LiveView(root, figure, 1.0, page="drift" if page == TARGETS else page)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, value in (("passes", PASSES), ("points", POINTS), ("redraws", REDRAWS)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (forecast := Path(folder, "bromide.toml")).write_text(FORECAST.replace("6e9", "3e9"))
        shown = views(Path(folder))
        night(shown, options.passes, options.points, forecast)
        for number in range(options.redraws):
            if number % (options.redraws // 2) == 0:
                print(f"{resident():.0f} MB after {number} more redraws of the scan page", flush=True)
            redraw(shown["scan"])
        print(f"{resident():.0f} MB after {options.redraws}")


def redraw(view: LiveView) -> float:
    """Milliseconds of the processor for a redraw, without what is computed beside it."""
    began = time.thread_time()
    view.draw(lambda: None)
    return 1e3 * (time.thread_time() - began)


def predicted(view: LiveView) -> float:
    """Milliseconds of the processor until a view has drawn what was computed beside it, that redraw included."""
    began = time.process_time()
    while view.content.predicting:
        time.sleep(1.0)
        view.draw(lambda: None)
    return 1e3 * (time.process_time() - began)


def night(shown: dict[str, LiveView], passes: int, points: int, forecast: Path) -> dict[int, dict[str, float]]:
    """Print milliseconds of a redraw of each page, and memory, after some of the passes; by passes, those printed."""
    columns = (*shown, "end", "predicted", "all anew")
    print(
        f"{'passes':>7} {'dwells':>8}" + "".join(f"{name + ' / ms':>16}" for name in columns) + f"{'memory / MB':>13}"
    )
    found = dict[int, dict[str, float]]()
    documents = one_pass(passes, points)
    for number in range(1, passes + 1):
        spent: dict[str, list[float]] = {name: [] for name in columns}
        printed = number in (1, 2, passes) or number % max(1, passes // 4) == 0
        for name, doc in documents:
            for page, view in shown.items():
                later = again(doc, number - 1, points * 4)
                view.content.take(name, named(later, forecast) if page == TARGETS else later)
            if printed and "laser_on" in doc.get("data", ()) and doc["seq_num"] % EVERY == 0:
                for page, view in shown.items():
                    spent[page].append(redraw(view))
        if printed:
            spent["end"] = [redraw(shown[TARGETS])]
            spent["predicted"] = [predicted(shown[TARGETS])]
            shown[TARGETS].figure.stale = True
            spent["all anew"] = [redraw(shown[TARGETS])]
            found[number] = {name: float(np.median(values)) for name, values in spent.items()}
            row = "".join(f"{value:>16.1f}" for value in found[number].values())
            print(f"{number:>7} {number * points * 4:>8}{row}{resident():>13.0f}", flush=True)
    return found


if __name__ == "__main__":
    main()
