"""The geometry of the area detector, from the image of the graphite windows that a rehearsal takes first."""

from __future__ import annotations

from pathlib import Path

from beamline.records.images import ImageError, read_image, square_camera
from beamline.records.runs.series import SeriesImage, images_of, series_named
from beamline.records.runs.store import JournalRuns
from beamline.studies.rehearsal.record import RehearsalRecord
from beamline.studies.rehearsal.station import GRAPHITE
from reduction.diffraction.calibrate import CameraFit, calibrate
from reduction.errors import ReductionError

GUESS = (240.0, 46.0)
"""mm; distance, and from the beam to the first column."""


def images_in(root: Path, step: str) -> list[SeriesImage]:
    """Images that a step of a rehearsal has taken."""
    store = JournalRuns(root)
    return images_of(store, series_named(store.runs(), RehearsalRecord.begun_in(root).get(step, "")))


def camera_of(root: Path, out: Path) -> CameraFit:
    """Refine the geometry, and write it.

    Raises
    ------
    ImageError
        If there is no such image, or too few rings are found on it.
    """
    images = images_in(root, GRAPHITE)
    if not images:
        raise ImageError(f"{root}: no image of the graphite windows")
    image = images[-1]
    try:
        counts = read_image(image.path)
        found = calibrate(counts, square_camera(counts.shape[0], *GUESS, 172.0, image.energy))
    except ReductionError as error:
        raise ImageError(f"{image.path}: {error}") from error
    found.camera.integrator.save(str(out))
    return found
