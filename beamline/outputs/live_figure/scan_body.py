"""The scan page: spectra or traces on the left, rates and messages on the right."""

from __future__ import annotations

from matplotlib.figure import Figure

from beamline.outputs.live_figure.artists import set_text
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.panels import RatesPanel, SpectraPanel, shown_slots
from beamline.outputs.live_figure.reference import ReferenceLines
from beamline.outputs.live_figure.texts import normalisation_state
from beamline.outputs.live_figure.trace_panel import LABELS, TracePanel
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS

MOST_SLOTS = 6


class ScanBody:
    """Static spectrum and the transient of each slot, or the trace of each slot with its fit; rate and pile-up.

    Parameters
    ----------
    figure : Figure
    content : Content
    """

    def __init__(self, figure: Figure, content: PageContent) -> None:
        scan = content.scan
        shown = shown_slots(scan.num_slots, MOST_SLOTS)
        slots = len(shown)
        left = figure.add_gridspec(
            slots + 1, 1, left=0.075, right=0.665, top=0.835, bottom=0.08, hspace=0.1,
            height_ratios=[2.0, *([1.7, 1.3, *[0.9] * slots][:slots])],
        )  # fmt: skip
        right = figure.add_gridspec(2, 1, left=0.735, right=0.985, top=0.835, bottom=0.39, hspace=0.3)
        span = scan.energy[-1] - scan.energy[0] if scan.energy.size > 1 else 1e-3
        margin = 0.015 * span if scan.axis != DELAY_AXIS else 50.0
        static = figure.add_subplot(left[0])
        rows = [figure.add_subplot(left[1 + slot], sharex=static) for slot in range(slots)]
        rates = [figure.add_subplot(right[row], sharex=static) for row in (0, 1)]
        text = figure.add_axes((0.7, 0.03, 0.285, 0.27))
        static.set_xlim(float(scan.energy[0] - margin), float(scan.energy[-1] + margin))
        self._rates = RatesPanel(rates[0], rates[1], text, LABELS.get(scan.axis, "X-ray energy / keV"))
        self._spectra: SpectraPanel | TracePanel
        if scan.axis == ENERGY_AXIS:
            self._spectra = SpectraPanel(static, rows, shown)
        else:
            self._spectra = TracePanel(static, rows, scan.axis, shown)
        draws = content.reference is not None and scan.axis == ENERGY_AXIS and rows
        self._reference = ReferenceLines(static, rows[0], content.reference) if draws and content.reference else None
        self._norm = static.set_title("", fontsize=11.5, loc="left", weight="bold", pad=4)

    def update(self, content: PageContent) -> None:
        """Draw the current state."""
        norm = normalisation_state(content.scan)
        set_text(self._norm, norm.text, norm.colour)
        self._spectra.update(content.scan)
        if self._reference is not None:
            self._reference.update(content.scan)
        self._rates.update(content.scan)

    def release(self) -> None:
        """Reset axis limits chosen by the user."""
        self._spectra.release()
        self._rates.release()
