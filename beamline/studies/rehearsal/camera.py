"""The geometry of the area detector, from the image of the graphite windows that a rehearsal takes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beamline.records.images import ImageError, read_image, square_camera
from beamline.records.runs.series import SeriesImage, images_of, series_named
from beamline.records.runs.store import JournalRuns
from beamline.studies.rehearsal.record import RehearsalRecord
from beamline.studies.rehearsal.station import GRAPHITE
from reduction.diffraction.calibrate import FREE, CameraFit, calibrate
from reduction.errors import ReductionError

GUESS = (240.0, 46.0)
"""mm; distance, and from the beam to the first column."""
ENERGY_ERROR = 4e-4
"""keV; of the X-rays of an image after the large move from the edges."""


def images_in(root: Path, step: str) -> list[SeriesImage]:
    """Images that a step of a rehearsal has taken."""
    store = JournalRuns(root)
    return images_of(store, series_named(store.runs(), RehearsalRecord.begun_in(root).get(step, "")))


@dataclass(frozen=True)
class FoundCamera:
    """A geometry, and the change of each of its numbers (m) with the error of the energy."""

    fit: CameraFit
    by_energy: Mapping[str, float]

    def stddev(self, name: str) -> float:
        """Standard deviation (m), the error of the energy included."""
        return float(np.hypot(self.fit.stddev[name], self.by_energy[name]))


def camera_of(root: Path, out: Path) -> FoundCamera:
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
        fits = [
            calibrate(counts, square_camera(counts.shape[0], *GUESS, 172.0, energy))
            for energy in (image.energy, image.energy + ENERGY_ERROR)
        ]
    except ReductionError as error:
        raise ImageError(f"{image.path}: {error}") from error
    found, moved = (fit.camera.geometry for fit in fits)
    fits[0].camera.integrator.save(str(out))
    return FoundCamera(fits[0], {name: moved[name] - found[name] for name in FREE})
