"""The pages of the live figure inline in a notebook, from the current journal."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import SIZE
from beamline.outputs.live_figure.pages import Page

__all__ = ["figure"]


class InlineFigure(Figure):
    """A figure that IPython and Jupyter display without pyplot."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=80)
        return picture.getvalue()


def figure(
    root: str | Path, scan_set: str | None = None, page: str = "scan", at: float | None = None, over: str = "time"
) -> Figure:
    """The current state of one page of the live figure.

    Parameters
    ----------
    root : path
        The data root.
    scan_set : str, optional
        Uid of a scan set, or its beginning; by default the newest.
    page : str
        ``scan``, ``map``, ``drift`` or ``ledger``.
    at : float, optional
        Point of the scanned axis shown in detail: keV, ps or mJ/cm2.
    over : str
        Horizontal axis of drifts: ``time`` or ``dwells``.

    Raises
    ------
    ValueError
        If there is no such page.

    Examples
    --------
    >>> from beamline.outputs.live_figure.notebook import figure
    >>> figure("trxas_data", page="drift", at=13.472)
    """
    shown: Any = InlineFigure(figsize=SIZE)
    FigureCanvasAgg(shown)
    one = Page(page, root, scan_set, at, over)
    one.look()
    one.picture(shown).update(one.content, time.time())
    return shown  # type: ignore[no-any-return]
