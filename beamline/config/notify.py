"""Configuration entries for messages to those who are away."""

from __future__ import annotations

import os
import re
from datetime import time
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from beamline.config.entries import Section
from beamline.config.secrets import SecretError, read_secret

Kind = Literal[
    "ended", "failed", "waiting", "laser", "rate", "saturated", "degraded", "disk", "target", "session"
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "ended", "failed", "waiting", "laser", "rate", "saturated", "degraded", "disk", "target", "session",
)  # fmt: skip
ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]*")


class NotifyEntry(Section):
    """Messages to those who are away, each when something changes, by the Apprise URL of a service. The URL contains
    the secret, so it stands in a file or in the environment, never here."""

    name: str
    """Of this entry, in messages about it."""
    url_file: Path | None = None
    """File with the URL in its first line, readable by its owner alone (mode 600)."""
    url_variable: str = ""
    """Environment variable with the URL, instead of a file; those who start the session set it."""
    kinds: tuple[Kind, ...] = KINDS
    """What is reported: scans that have ended; runs that failed; scans that wait, and go on; laser lock lost, and
    back; count rate collapsed, and back; detector saturated; live reduction degraded; disk low; target reached; session
    lost."""
    waiting_minutes: float = Field(default=10.0, gt=0)
    """Minutes without a dwell, beside the time of the dwell itself, after which a scan is reported as waiting."""
    least_free_gb: float = Field(default=5.0, ge=0)
    """Free disk space below which it is reported as low, GB."""
    quiet: tuple[str, str] | None = None
    """Begin and end of the quiet hours, local time, for example ``["23:00", "07:00"]``: messages wait for their end."""
    urgent: tuple[Kind, ...] = ("failed", "laser", "session")
    """What is reported in the quiet hours, too."""
    most_per_hour: int = Field(default=10, ge=1)
    """Messages within an hour; further ones are sent together, as soon as the hour allows."""
    figure: bool = True
    """Whether messages about a scan have its figure attached."""

    @field_validator("quiet")
    @classmethod
    def _are_times(cls, quiet: tuple[str, str] | None) -> tuple[str, str] | None:
        for each in quiet or ():
            try:
                time.fromisoformat(each)
            except ValueError:
                raise ValueError(f"{each!r} is no time of day; write it as 23:00") from None
        return quiet

    @model_validator(mode="after")
    def _has_one_source(self) -> NotifyEntry:
        if (self.url_file is None) == (not self.url_variable):
            raise ValueError("give either url_file or url_variable")
        if self.url_variable and not ENVIRONMENT.fullmatch(self.url_variable):
            # the value is not repeated: it may be the URL itself
            raise ValueError("url_variable is the name of an environment variable, in capitals, not the URL")
        return self

    def url(self) -> str:
        """The URL.

        Raises
        ------
        SecretError
            If it is missing, or others could read the file.
        """
        if self.url_file is not None:
            return read_secret(self.url_file.expanduser())
        found = os.environ.get(self.url_variable, "").strip()
        if not found:
            raise SecretError(f"notify {self.name}: the environment variable {self.url_variable} is not set")
        return found
