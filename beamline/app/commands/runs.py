"""Commands that read runs back: `trxas list`, `trxas show`, `trxas repair`, `trxas figure`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from beamline.app.commands.stored import Config, Data, From, Roots, stored, terminal, uid_argument
from beamline.config.data_root import place_of

if TYPE_CHECKING:
    from rich.console import Console

FigurePage = Literal["scan", "map", "drift", "ledger"]
FigureAxis = Literal["time", "dwells"]


def list_command(
    newest: Annotated[int, typer.Option("--newest", "-n", min=1, help="Number of raw runs to show.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Page of so many runs; 1 has the newest.")] = 1,
    beamline: Annotated[str, typer.Option(help="Only runs of this beamline.")] = "",
    proposal: Annotated[str, typer.Option(help="Only runs of this proposal.")] = "",
    sample: Annotated[str, typer.Option(metavar="WORDS", help="Only runs whose sample has these words.")] = "",
    edge: Annotated[str, typer.Option(help="Only runs at this edge.")] = "",
    note: Annotated[str, typer.Option(metavar="WORDS", help="Only runs with all these words in their notes.")] = "",
    uid: Annotated[str, typer.Option(help="Only runs whose uid or scan set begins so.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Only runs that began at this time or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only runs that began before this time.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all runs to this CSV file instead.")] = None,
    health: Annotated[bool, typer.Option("--health", help="Add a verdict on each pass: good, look or bad.")] = False,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """List the newest runs with their reduced runs, the earliest first, or those that are looked for.

    Words and names are compared without regard to capitals, corrected entries in place of the recorded ones. A
    catalogue is searched by its server.
    """
    from beamline.records.catalogue.wanted import Wanted
    from beamline.records.catalogue_writer.lag import catalogue_lag
    from beamline.records.runs.search import search, search_all, with_related
    from beamline.records.runs.table import list_table
    from beamline.records.runs.table_csv import write_run_table

    first, last = (each.timestamp() if each else None for each in (since, until))
    wanted = Wanted(beamline, proposal, sample, edge, note, uid, first, last)
    with stored(config, data, source) as found:
        store, console = found.store, found.console
        if csv_file is not None and (runs := search_all(store, wanted)):
            console.print(f"{write_run_table(csv_file, store, runs)} runs in {csv_file}", markup=False)
            return
        shown = search(store, wanted, newest, page)
        found.report_left_alone()
        if not shown.rows:
            which = "No such runs" if wanted or page > 1 else "No runs"
            console.print(f"{which} in the {store.name} of {found.place.root} yet.", markup=False)
            return
        runs = with_related(store, shown.runs) if health else shown.runs
        console.print(list_table(store, runs, shown.rows, health=health, width=console.width))
        _report_earlier(console, shown.earlier, newest, page)
        if source == "journal":
            console.print(catalogue_lag(*found.place), markup=False)


def _report_earlier(console: Console, earlier: int | None, newest: int, page: int) -> None:
    if earlier is None:
        console.print(f"Earlier runs are not shown; --page {page + 1} shows them.")
    elif earlier:
        console.print(f"{earlier} earlier runs are not shown; --newest {earlier + page * newest} shows all.")


def show_command(
    name: Annotated[str, uid_argument(metavar="UID", help="Uid of a run or scan set, its beginning, or 'last'.")],
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Show metadata, streams, qualities and settings of a run, and its reduced or raw runs."""
    from beamline.records.runs.find import find
    from beamline.records.runs.search import runs_named
    from beamline.records.runs.table import list_table, show_page

    with stored(config, data, source) as all_there_is:
        store, console = all_there_is.store, all_there_is.console
        runs = runs_named(store, [name])
        all_there_is.report_left_alone()
        found = find(runs, name)
        if found.scan_set is not None:
            console.print(f"scan set {found.scan_set}", markup=False)
            console.print(list_table(store, runs, found.runs, width=console.width))
        else:
            console.print(show_page(store, runs, found.runs[0]))


def repair_command(
    name: Annotated[str, uid_argument(metavar="UID|all", help="A run, by its uid or the beginning of it.")] = "all",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Set damage in journal files aside and report what each run lacks; deletes nothing."""
    from beamline.records.journal import damage, repair, run_files, uid_of
    from beamline.records.logbook import logbook_files
    from beamline.records.runs.run import RunError

    root, console = place_of(config, data).root, terminal()
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
    theory: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Computed spectra that are fitted after each pass and drawn.")
    ] = None,
    config: Config = "simulated",
    data: Roots = None,
) -> None:
    """Open a live figure of the newest scan, in a window or a file, until the window is closed or Ctrl-C."""
    from beamline.outputs.live_figure.__main__ import main

    if once and png is None:
        raise typer.BadParameter("--once needs --png FILE")
    if theory is not None and reference is not None:
        raise typer.BadParameter("--theory and --with are both drawn behind the spectra: leave one out")
    roots: list[Path | None] = [*data] if data else [None]
    first, *others = (place_of(config, root).root for root in roots)
    arguments = ["--journal", str(first), "--every", f"{every:g}"]
    arguments += ["--with", reference] if reference is not None else []
    arguments += [part for root in others for part in ("--with-journal", str(root))]
    arguments += ["--page", page, "--over", over, *([f"--at={at!r}"] if at is not None else [])]
    arguments += ["--theory", str(theory)] if theory is not None else []
    arguments += ["--png", str(png)] if png is not None else []
    arguments += ["--scan-set", scan_set] if scan_set is not None else []
    raise typer.Exit(main([*arguments, "--once"] if once else arguments))


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("list")(list_command)
    app.command("show")(show_command)
    app.command("repair")(repair_command)
    app.command("figure")(figure_command)
