"""Commands that read runs back: `trxas list`, `trxas show`, `trxas reduce`, `trxas figure`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from beamline.app.commands.shots import DEFAULT_WORKERS, Scheduler, Shots, Since, Until, Workers, names_of, shot_store
from beamline.app.commands.stored import Config, Data, From, Roots, configuration, stored, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from beamline.config.models import Configuration
    from beamline.records.runs.replay import Replayed

FigurePage = Literal["scan", "map", "drift", "ledger"]
FigureAxis = Literal["time", "dwells"]


EXCLUDED = "UID[:POINT][:DETECTOR]"


def list_command(
    newest: Annotated[int, typer.Option("--newest", "-n", min=1, help="Number of raw runs to show.")] = 20,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all runs to this CSV file instead.")] = None,
    health: Annotated[bool, typer.Option("--health", help="Add a verdict on each pass: good, look or bad.")] = False,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """List the newest runs with their reduced runs, the earliest first."""
    from beamline.records.catalogue_writer.lag import catalogue_lag
    from beamline.records.runs.table import list_table
    from beamline.records.runs.table_csv import write_run_table

    with stored(config, data, source) as found:
        store, console = found.store, found.console
        runs = store.runs(None if csv_file is not None else newest)
        raw = {run.uid for run in runs if run.raw_uid is None}
        rows = [run for run in runs if run.raw_uid is None or run.raw_uid not in raw]
        found.report_left_alone()
        if not rows:
            console.print(f"No runs in the {store.name} of {found.config.data.root} yet.", markup=False)
            return
        if csv_file is not None:
            console.print(f"{write_run_table(csv_file, store, runs)} runs in {csv_file}", markup=False)
            return
        console.print(list_table(store, runs, rows[-newest:], health=health))
        if len(rows) > newest and source == "catalogue":
            console.print("Earlier runs are not shown; a larger --newest shows more.")
        elif len(rows) > newest:
            console.print(f"{len(rows) - newest} earlier runs are not shown; --newest {len(rows)} shows all.")
        if source == "journal":
            data_of = found.config.data
            console.print(catalogue_lag(data_of.root, data_of.catalogue_address), markup=False)


def show_command(
    name: Annotated[str, typer.Argument(metavar="UID", help="Uid of a run or scan set, its beginning, or 'last'.")],
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Show metadata, streams, qualities and settings of a run, and its reduced or raw runs."""
    from beamline.records.runs.find import find
    from beamline.records.runs.table import list_table, show_page

    with stored(config, data, source) as all_there_is:
        store, console = all_there_is.store, all_there_is.console
        runs = store.runs()
        all_there_is.report_left_alone()
        found = find(runs, name)
        if found.scan_set is not None:
            console.print(f"scan set {found.scan_set}", markup=False)
            console.print(list_table(store, runs, found.runs))
        else:
            console.print(show_page(store, runs, found.runs[0]))


def reduce_command(
    name: Annotated[str, typer.Argument(metavar="UID|SCAN_SET|last|all", help="Raw run, reduced run or scan set.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar=EXCLUDED, help="Exclude a pass, a point, or a detector of either.")
    ] = None,
    take_back: Annotated[list[str] | None, typer.Option(metavar=EXCLUDED, help="Revoke an exclusion.")] = None,
    source: From = "journal",
    write: Annotated[
        bool, typer.Option("--write", help="Store a result even if it differs from the stored one.")
    ] = False,
    shots: Shots = False,
    workers: Workers = DEFAULT_WORKERS,
    scheduler: Scheduler = None,
    since: Since = None,
    until: Until = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Reduce stored raw data again, bit-identical to the live reduction or with other settings."""
    from beamline.records.runs.job import parse_excluded, plan_job
    from beamline.records.runs.replay import replay

    changes = dict(parse_setting(each) for each in settings or ())
    results, wanted = [], 0
    with stored(config, data, source) as found:
        store, chosen, console = found.store, found.config, found.console
        of_shots = shot_store(store, chosen, console, workers, scheduler) if shots else None
        runs = store.runs()
        out, back = (
            tuple(one for each in texts or () for one in parse_excluded(runs, each)) for texts in (leave_out, take_back)
        )
        for each in names_of(runs, name, since, until):
            job = replace(plan_job(runs, each, changes), leave_out=out, take_back=back)
            results += replay(of_shots or store, runs, job, with_shots=not shots)
            wanted += len(job.wanted)
    for sentence in of_shots.left_out if of_shots else ():
        console.print(f"left out: {sentence}", markup=False)
    for sentence in dict.fromkeys(note for result in results for note in result.notes):
        console.print(sentence, markup=False)
    differ = [result for result in results if not _report_replay(console, chosen, result, write)]
    if left_out := wanted - len(results):
        console.print(f"{left_out} passes ended before their first dwell and are excluded.")
    if differ and not write:
        raise typer.Exit(1)


def repair_command(
    name: Annotated[str, typer.Argument(metavar="UID|all", help="A run, by its uid or the beginning of it.")] = "all",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Set damage in journal files aside and report what each run lacks; deletes nothing."""
    from beamline.records.journal import damage, repair, run_files, uid_of
    from beamline.records.logbook import logbook_files
    from beamline.records.runs.run import RunError

    root, console = configuration(config, data).data.root, terminal()
    paths = [path for path in run_files(root) if name == "all" or uid_of(path).startswith(name.lower())]
    if not paths:
        raise RunError(f"the journal of {root} has no file of a run {name!r}")
    damaged = [path for path in [*paths, *(logbook_files(root) if name == "all" else ())] if damage(path)]
    for path in damaged:
        result = repair(path)
        lacks = f"; lacks {', '.join(result.lacks) or 'nothing that is known'}" if path in paths else ""
        aside = f"set aside in {result.set_aside.name}" if result.set_aside else "set aside earlier"
        label = uid_of(path) if path in paths else path.name
        console.print(f"{label}: {result.documents} documents kept, damage {aside}{lacks}", markup=False)
    whole = len(paths) - len(set(damaged) & set(paths))
    console.print(f"{whole} of {len(paths)} files are whole.", markup=False)


def figure_command(
    png: Annotated[Path | None, typer.Option(help="Write to this file instead of a window.")] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Shortest interval between redraws, s.")] = 1.0,
    scan_set: Annotated[str | None, typer.Option(help="Show only this scan set, by the beginning of its uid.")] = None,
    page: Annotated[FigurePage, typer.Option(help="Page to show; in a window, keys 1 to 4 change it.")] = "scan",
    at: Annotated[float | None, typer.Option(help="Energy, delay or fluence shown by the pages map and drift.")] = None,
    over: Annotated[FigureAxis, typer.Option(help="Horizontal axis of drifts.")] = "time",
    once: Annotated[bool, typer.Option("--once", help="With --png: write the file once and exit.")] = False,
    reference: Annotated[
        str | None,
        typer.Option("--with", metavar="REF", help="Run or file drawn behind the spectra of a scan."),
    ] = None,
    config: Config = "simulated",
    data: Roots = None,
) -> None:
    """Open a live figure of the newest scan, in a window or a file, until the window is closed or Ctrl-C."""
    from beamline.outputs.live_figure.__main__ import main

    if once and png is None:
        raise typer.BadParameter("--once needs --png FILE")
    roots: list[Path | None] = [*data] if data else [None]
    first, *others = (configuration(config, root).data.root for root in roots)
    arguments = ["--journal", str(first), "--every", f"{every:g}"]
    arguments += ["--with", reference] if reference is not None else []
    arguments += [part for root in others for part in ("--with-journal", str(root))]
    arguments += ["--page", page, "--over", over, *([f"--at={at!r}"] if at is not None else [])]
    arguments += ["--png", str(png)] if png is not None else []
    arguments += ["--scan-set", scan_set] if scan_set is not None else []
    raise typer.Exit(main([*arguments, "--once"] if once else arguments))


def _report_replay(console: Console, config: Configuration, result: Replayed, write: bool) -> bool:
    """Report one replay, and store it if it is new; False if it differs from the stored run."""
    from beamline.records.runs.detectors import detector_results

    passes = len(result.start["accumulates"]) + 1
    label = f"{result.raw.uid[:8]} ({passes} passes summed, settings {result.start['settings_hash']})"
    if detectors := detector_results(result.documents, "").text:
        console.print(f"{label}: {detectors}", markup=False)
    stored = result.stored.uid[:8] if result.stored else ""
    if result.damage:
        console.print(f"{label}: {result.damage}", markup=False)
    if write or (result.new and not result.damage):
        why = f"; of {stored} {result.agreement}" if result.stored else ""
        _keep(config, result)
        console.print(f"{label}: new reduced run {result.start['uid'][:8]}{why}", markup=False)
        if without := next(
            (doc["reason"] for name, doc in result.documents if name == "stop" and doc.get("reason")), ""
        ):
            console.print(f"  {without}", markup=False)
        return result.new or (result.agreement is not None and result.agreement.exact)
    if result.damage:
        console.print("  Results of damaged raw data are stored only with --write.", markup=False)
        return False
    console.print(f"{label}: {result.agreement} with the stored reduced run {stored}", markup=False)
    if result.agreement is not None and result.agreement.exact:
        return True
    console.print(f"  {_suspect(result)} --write stores this one beside it.", markup=False)
    return False


def _suspect(result: Replayed) -> str:
    """Explain why numbers may differ."""
    ours, theirs = result.start["versions"], (result.stored.start if result.stored else {}).get("versions", {})
    changed = [f"{key} {theirs.get(key)} -> {ours.get(key)}" for key in sorted({*ours, *theirs}) if
               ours.get(key) != theirs.get(key)]  # fmt: skip
    if changed:
        return f"The stored one was made by another version ({', '.join(changed)})."
    return "Both were made by the same version: did the live reduction fail in an earlier pass?"


def _keep(config: Configuration, result: Replayed) -> None:
    """Write a reduced run to the journal, from which the catalogue writer copies it to the catalogue."""
    from beamline.records.journal import Journal

    journal = Journal(config.data.root, min_free_bytes=int(config.data.min_free_gb * 1e9))
    try:
        for name, doc in result.documents:
            journal(name, doc)
    finally:
        journal.close()


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse ``key=value`` into a key and a number, boolean, None, text, or (``a,b``) list of these.

    Raises
    ------
    typer.BadParameter
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise typer.BadParameter(f"--set takes KEY=VALUE, for example --set i0_noise=2e-3, not {text!r}")
    return key.strip(), _value(value.strip())


def _value(text: str) -> Any:
    if text == "None":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        parts = text.strip("()[]").split(",")
        return [_value(part.strip()) for part in parts if part.strip()] if len(parts) > 1 else text


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("list")(list_command)
    app.command("show")(show_command)
    app.command("reduce")(reduce_command)
    app.command("repair")(repair_command)
    app.command("figure")(figure_command)
