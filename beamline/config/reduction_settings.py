"""Settings of the reduction that the configuration gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.config.models import Reduction


def reduction_settings(reduction: Reduction) -> dict[str, Any]:
    """The configured settings; others keep their defaults.

    Raises
    ------
    ValueError
        If the response file cannot be read, or is not a table of two columns.
    """
    found: dict[str, Any] = reduction.model_dump(exclude={"response_file"}, exclude_none=True)
    if reduction.response_file is not None:
        try:
            table = np.loadtxt(reduction.response_file, ndmin=2)
        except (OSError, ValueError) as error:
            raise ValueError(f"response_file {reduction.response_file}: {error}") from error
        if table.shape[1] != 2:
            raise ValueError(
                f"response_file {reduction.response_file} has {table.shape[1]} columns, not 2: ps, density"
            )
        found["response_shape"] = table.tolist()
    return found
