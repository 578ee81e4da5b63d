"""The scan page of a slow laser: bins of slots, of which the first, the last and some between have a panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import format_delay
from beamline.outputs.live_figure.panels import shown_slots
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.scan_body import MOST_SLOTS, ScanBody
from reduction.live.reducer import LiveReducer
from tests.reduction.raw_documents import Bench


def test_of_many_slots_the_first_the_last_and_some_between_are_shown() -> None:
    assert shown_slots(5, 6) == [0, 1, 2, 3, 4]
    assert shown_slots(11, 6) == [0, 2, 4, 6, 8, 10]
    assert shown_slots(1, 6) == [0]


def test_delays_have_a_suitable_unit() -> None:
    given = {99.9: "99.9 ps", 163_500.0: "163.5 ns", 2.5e6: "2500 ns", 3.4567e7: "34.57 us", 9.9e11: "990 ms"}
    assert {delay: format_delay(delay) for delay in given} == given
    assert format_delay(1e9) == "1000 us" and format_delay(1e10) == "10 ms"


def test_a_thousand_slots_are_twelve_bins_in_six_panels() -> None:
    scan, documents = LiveScan(), []
    reducer = LiveReducer(lambda name, doc: documents.append((name, doc)))
    bench = Bench(4, 1420, gates=2000, settings=Bench().settings | {"reference": "combined"})
    for number, (name, doc) in enumerate(bench.a_pass("one")):
        complete: dict[str, Any] = {"time": float(number), "num_events": {}, **doc}
        scan.take(name, complete)
        reducer(name, complete)
        for each in documents:
            scan.take(*each)
        documents.clear()
    assert scan.num_slots == 12 and (np.diff(scan.probe_delays) > 0).all()
    assert scan.spectrum is not None and scan.spectrum["transient"].shape == (12, 12)
    figure = Figure()
    FigureCanvasAgg(figure)
    body = ScanBody(figure, SimpleNamespace(scan=scan, reference=None))  # type: ignore[arg-type]
    body.update(SimpleNamespace(scan=scan, reference=None))  # type: ignore[arg-type]
    figure.canvas.draw()
    names = [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text().startswith("slot")]
    assert len(names) == MOST_SLOTS
    assert names[0].startswith("slot 0   100 ps") and names[-1].startswith("slot 11 ")
