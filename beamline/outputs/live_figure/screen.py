"""The live figure in a window (Qt, from the extra ``qt``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import DPI, SIZE
from beamline.outputs.live_figure.pages import PAGES
from beamline.outputs.live_figure.view import LOOK_EVERY, LiveView
from beamline.session.figure_process import has_display, has_qt

KEYS = {str(number): page for number, page in enumerate(PAGES, 1)}


def show(make: Callable[[Figure], LiveView], ended: Callable[[], bool]) -> None:
    """Show the live figure in a window until it is closed or `ended` returns True.

    Keys 1, 2, ... choose a page; ``a`` resets the zoom, ``t`` toggles drifts between time and
    dwells.

    Parameters
    ----------
    make : callable
        Creates the view in the window's figure.
    ended : callable
        Returns whether to close the window.

    Raises
    ------
    RuntimeError
        If there is no usable display, or no Qt.
    """
    pyplot = _pyplot()
    figure = pyplot.figure(figsize=SIZE)
    canvas: Any = figure.canvas
    canvas.manager.set_window_title("trxas live figure")
    view = make(figure)
    canvas.mpl_connect("resize_event", lambda event: fit(figure, canvas.get_width_height(physical=True)))

    def tick() -> None:
        if ended():
            pyplot.close(figure)
            return
        view.look()
        if view.due():
            view.draw(canvas.update)

    canvas.mpl_connect("key_press_event", lambda event: _press(view, event.key))
    timer = canvas.new_timer(interval=int(1000 * LOOK_EVERY))
    timer.add_callback(tick)
    timer.start()
    pyplot.show()
    timer.stop()


def fit(figure: Figure, pixels: tuple[int, int]) -> None:
    """Scale a figure down to a window that is smaller than its layout, texts included: 800 x 600 has no overlaps.

    Parameters
    ----------
    figure : Figure
    pixels : tuple of int
        Width and height of the window, in pixels of the screen.
    """
    whole = DPI * figure.canvas.device_pixel_ratio
    dpi = min(whole, *(number / inches for number, inches in zip(pixels, SIZE, strict=True)))
    figure.set_size_inches(pixels[0] / dpi, pixels[1] / dpi, forward=False)
    figure.dpi = dpi  # resizes the window to what it is


def _pyplot() -> Any:
    """Pyplot with the Qt backend.

    Raises
    ------
    RuntimeError
        If there is no usable display, or no Qt.
    """
    if not has_display():
        raise RuntimeError("there is no display here; write a picture instead with --png FILE")
    if not has_qt():
        raise RuntimeError("Qt is not installed; install the extra 'qt' of this package, or use --png FILE")
    import matplotlib
    from matplotlib import pyplot

    matplotlib.rcParams["figure.raise_window"] = False  # do not take the keyboard focus from the shell
    try:
        pyplot.switch_backend("QtAgg")
    except ImportError as error:
        raise RuntimeError(f"no window can be opened here ({error}); use --png FILE") from error
    return pyplot


def _press(view: LiveView, key: str | None) -> None:
    """Handle a key."""
    if key == "a":
        view.picture.show_all()
    elif key in KEYS:
        view.show(KEYS[key])
        view.look()
    elif key == "t":
        view.other_axis()
    else:
        return
    canvas: Any = view.figure.canvas
    view.draw(canvas.update)
