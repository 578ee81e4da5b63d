"""Renders a report as one self-contained HTML file without scripts."""

from __future__ import annotations

import time
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined

from beamline.formatting import when
from beamline.outputs.report.content import RUN_COLUMNS, ReportContent
from beamline.outputs.report.logbook import CORRECTION_COLUMNS, NOTE_COLUMNS


def render(content: ReportContent) -> str:
    """Render the page. Every text is escaped, since names and metadata are untrusted."""
    environment = Environment(
        loader=PackageLoader("beamline.outputs.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html").render(
        report=content,
        columns=RUN_COLUMNS,
        note_columns=NOTE_COLUMNS,
        correction_columns=CORRECTION_COLUMNS,
        settings_by_hash={each.settings_hash: each.settings for each in content.measurements if each.settings},
        written=when(time.time()),
        program=version("trxas"),
    )
