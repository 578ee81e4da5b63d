"""The demonstration: a simulated measurement, reduced, stored, read back, and compared with the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from beamline.config.models import Configuration, load
from beamline.studies.expectation import ask_expectation, expected_spectrum
from reduction.counting.phases import Pattern
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, projection

EDGE = "Br_K"
DELAY = 10_100.0
FLUENCE = 8.8
PASSES = 2
DWELL = 6.0
SPEEDUP = 200.0
FEATURE = 13.472
CATALOGUE_TIMEOUT = 120.0
LOOK_AGAIN = 0.5
"""Polling interval of the catalogue's progress, s."""


@dataclass(frozen=True)
class TruthComparison:
    """A measured number and its true value."""

    what: str
    measured: float
    error: float
    truth: float

    @property
    def pull(self) -> float:
        """Deviation in units of the error."""
        return (self.measured - self.truth) / self.error


def run_demo(scenario: str | Path, out: Path, environment: Mapping[str, str], console: Console) -> list[Path]:
    """Measure, reduce, read back, compare, draw. The simulated beamline must be running and `environment` set.

    Parameters
    ----------
    scenario : str or Path
        Scenario of the running simulator, the source of the truth.
    out : Path
        Folder for figures, spectra and data.
    environment : mapping
        Channel Access environment, already in ``os.environ``.
    console : rich.console.Console

    Returns
    -------
    list of Path
        Files written.
    """
    config = load("simulated", clock_rate=SPEEDUP, data={"root": str(out / "data"), "min_free_gb": 0.2})
    reduced_uid, slot_delays, wall = _measure(config, console)
    start, data = _read_back(config, reduced_uid, console)
    settings = Settings.from_mapping(start["settings"])
    spectrum = _as_spectrum(data)
    expectation = ask_expectation(scenario, spectrum.energy, DELAY, FLUENCE)
    expected = expected_spectrum(expectation, settings)
    console.print(f"\nSIMULATED. Scenario '{scenario}': {describe_jet(expectation)}")
    _summary(console, start, spectrum, expected, slot_delays, wall)
    return _write(out, start, data, expected, slot_delays)


def _measure(config: Configuration, console: Console) -> tuple[str, list[str], float]:
    """Run the scan; returns the uid of the last reduced run, formatted slot delays, and the duration in seconds."""
    from beamline.session.progress import show_progress
    from beamline.session.session import Session, start
    from plans.compilation.estimate import pass_durations
    from plans.protocols import MoveTimes
    from plans.scans.energy import compiled_energy_scan

    compiled_scan = compiled_energy_scan(EDGE, DELAY, PASSES, DWELL)
    estimate = sum(each.total for each in pass_durations(compiled_scan, MoveTimes(), config.clock_rate))
    first = compiled_scan.passes[0]
    console.print(
        f"Scan of {EDGE} at {DELAY / 1000:.1f} ns: {PASSES} passes, {len(first.positions)} points,"
        f" {len(first.dwell_settings.pattern)} dwells of {DWELL:g} s per point."
        f" Estimated {estimate / config.clock_rate:.0f} s here, {config.clock_rate:g} times faster than real time."
    )
    reduced: list[str] = []

    def remember(name: str, doc: Mapping[str, Any]) -> None:
        if name == "start":
            reduced.append(doc["uid"])

    with start(config, notify=console.print) as session:
        if not isinstance(session, Session):
            raise RuntimeError(f"another demonstration is writing to {config.data.root}; choose another --out")
        show_progress(session, console)
        session.listen_reduced(remember, "the list of reduced runs")
        began = time.monotonic()
        session.RE(session.energy_scan(edge=EDGE, delay=DELAY, passes=PASSES, dwell=DWELL))
        wall = time.monotonic() - began
        timing = session.beamline.role("timing")
        _wait_for_catalogue(config, console)
        pattern = Pattern(timing.num_bunches.get(), timing.laser_divider.get(), 0, timing.bunch_rate.get())
    return reduced[-1], [f"{delay / 1000:.1f} ns" for delay in pattern.probe_delays(DELAY)], wall


def _wait_for_catalogue(config: Configuration, console: Console) -> None:
    """Show the progress of the session's catalogue writer until the catalogue has all runs."""
    from beamline.records.catalogue_writer.lag import describe_incomplete, incomplete_runs, runs_behind
    from beamline.records.journal import run_files

    root, began = config.data.root, time.monotonic()
    number = len(run_files(root))
    console.print(f"Waiting until the catalogue has the {number} runs of the journal, up to a minute ...")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("in the catalogue", total=number)
        while behind := len(runs_behind(root, config.data.catalogue_address)):
            if time.monotonic() - began > CATALOGUE_TIMEOUT:
                raise RuntimeError(
                    f"the catalogue could not be written; {root / 'log' / 'catalogue_writer.log'} has the reason"
                )
            bar.update(task, completed=number - behind)
            time.sleep(LOOK_AGAIN)
    console.print(f"Complete after {time.monotonic() - began:.0f} s.")
    if lacking := describe_incomplete(incomplete_runs(root, config.data.catalogue_address)):
        console.print(lacking, markup=False)


def _read_back(config: Configuration, uid: str, console: Console) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start document and spectrum of a reduced run, from the catalogue."""
    from beamline.records.catalogue.client import close_catalogue, open_catalogue, read_stream, run_documents

    catalogue = open_catalogue(config.data.catalogue_address, config.data.catalogue_key())
    try:
        start = run_documents(catalogue, uid)["start"]
        stream = read_stream(catalogue, uid, "spectrum")
    finally:
        close_catalogue(catalogue)
    console.print(f"Read reduced run {uid[:8]} back from the catalogue.")
    return start, {key: values[-1] for key, values in stream.items()}


def _as_spectrum(data: Mapping[str, Any]) -> Spectrum:
    from dataclasses import fields

    arrays = {field.name: np.asarray(data[field.name]) for field in fields(Spectrum)}
    arrays["used"] = arrays["used"].astype(bool)
    return Spectrum(**arrays)


def describe_jet(expectation: Mapping[str, Any]) -> str:
    """Effect of the jet noise on the errors."""
    noise = float(expectation["jet_thickness_rms"]), float(expectation["jet_pass_to_pass_rms"])
    if not any(noise):
        return "it has no jet noise, so errors are those of counting and I0."
    return (
        f"its jet thickness has {100 * noise[0]:g} % rms noise and {100 * noise[1]:g} % from pass to pass,"
        " which the errors of counting and I0 do not cover: pulls are wider than 1."
    )


def compare(spectrum: Spectrum, expected: Spectrum, slot: int) -> list[TruthComparison]:
    """Transient of a slot at the main feature, and its amplitude across the edge relative to the truth.

    The amplitude is the generalised-least-squares projection on the expected shape over 13.464-13.512 keV.
    """
    at = int(np.argmin(np.abs(spectrum.energy - FEATURE)))
    edge = (spectrum.energy > 13.464) & (spectrum.energy < 13.512) & spectrum.used
    amplitude, error = projection(
        spectrum.transient[slot, edge],
        spectrum.transient_covariance[slot][np.ix_(edge, edge)],
        expected.transient[slot, edge],
    )
    return [
        TruthComparison(
            f"transient at {spectrum.energy[at]:.4f} keV / %",
            100 * spectrum.transient[slot, at],
            100 * spectrum.transient_stddev[slot, at],
            100 * expected.transient[slot, at],
        ),
        TruthComparison("amplitude over the edge / truth", amplitude, error, 1.0),
    ]


def chi_square(spectrum: Spectrum, expected: Spectrum, slot: int) -> tuple[float, int]:
    """Chi-square of measured minus expected transient over the edge with its covariance, and its degrees of freedom."""
    edge = (spectrum.energy > 13.464) & (spectrum.energy < 13.512) & spectrum.used
    residual = spectrum.transient[slot, edge] - expected.transient[slot, edge]
    covariance = spectrum.transient_covariance[slot][np.ix_(edge, edge)]
    return float(residual @ np.linalg.solve(covariance, residual)), int(edge.sum())


def _summary(
    console: Console,
    start: Mapping[str, Any],
    spectrum: Spectrum,
    expected: Spectrum,
    slot_delays: list[str],
    wall: float,
) -> None:
    dwells = int(spectrum.dwells.sum())
    console.print(
        f"{dwells} dwells of {DWELL:g} s count ({dwells * DWELL / 3600:.2f} h of beam), taken in {wall:.0f} s."
        f" Reduced run {start['uid'][:8]}, settings {start['settings_hash']}."
    )
    table = Table(title="measured against the truth (the scenario without noise, through the same reduction)")
    for header in ("slot", "quantity", "measured", "truth", "pull"):
        table.add_column(header, justify="left" if header in ("slot", "quantity") else "right")
    for slot in (0, 1):
        for row in compare(spectrum, expected, slot):
            table.add_row(
                f"{slot} ({slot_delays[slot]})", row.what, f"{row.measured:+.4f} +- {row.error:.4f}",
                f"{row.truth:+.4f}", f"{row.pull:+.2f}",
            )  # fmt: skip
        chi2, points = chi_square(spectrum, expected, slot)
        table.add_row(
            f"{slot} ({slot_delays[slot]})", f"chi-square of {points} points over the edge", f"{chi2:.1f}", "",
            f"{(chi2 - points) / (2 * points) ** 0.5:+.2f}",
        )  # fmt: skip
    console.print(table)
    console.print(
        "Pull: (measured - truth) / error; of a chi-square (it - points) / root of 2 points. Most lie within 2."
    )
    removed = 100 * (spectrum.integral[1] / spectrum.integral[0] - 1)
    offset = 100 * (spectrum.offset[1] - spectrum.offset[0]) / spectrum.integral[0]
    console.print(
        "Removed by normalisation, on against off, slot 0: area "
        f"{removed[0]:+.3f} %, offset {offset[0]:+.3f} % of the edge integral."
    )
    if spectrum.bunches_out.any():
        console.print(f"Bunches excluded: {np.flatnonzero(spectrum.bunches_out).tolist()}")


def _write(
    out: Path, start: Mapping[str, Any], data: Mapping[str, Any], expected: Spectrum, slot_delays: list[str]
) -> list[Path]:
    from dataclasses import asdict

    from beamline.outputs.export import write_spectrum_csv
    from beamline.outputs.figure import save, spectrum_figure

    figure = spectrum_figure(data, start, slot_delays, asdict(expected))
    return [
        save(figure, out / "transients.png"),
        write_spectrum_csv(out / "spectra.csv", data, start),
        write_spectrum_csv(
            out / "spectra_expected.csv", asdict(expected), {**start, "mode": "truth of the simulation"}
        ),
    ]
