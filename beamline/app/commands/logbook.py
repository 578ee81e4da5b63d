"""The logbook from the command line: `trxas note`, `trxas notes`, `trxas correct`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beamline.app.commands.stored import Config, Data, configuration, stored, terminal, uid_argument, uid_option

if TYPE_CHECKING:
    from beamline.records.runs.run import Run

Who = Annotated[str, typer.Option(help="Your name; default: the account.")]


def note_command(
    words: Annotated[list[str], typer.Argument(metavar="TEXT", help="The note; words like #jet are tags.")],
    tag: Annotated[list[str] | None, typer.Option(help="A further tag; repeatable.")] = None,
    run: Annotated[
        str, uid_option(metavar="UID", help="Run it is about, or 'last'; default: the one being measured.")
    ] = "",
    who: Who = "",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Write a note into the logbook, also while a session measures."""
    from beamline.session.notes import write_note

    root = configuration(config, data).data.root
    terminal().print(
        str(write_note(root, " ".join(words), tags=tag or (), run=run, who=who)), markup=False, soft_wrap=True
    )


def notes_command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD ...]", help="Only notes with all these words.")
    ] = None,
    tag: Annotated[str, typer.Option(help="Only notes with this tag.")] = "",
    run: Annotated[str, uid_option(metavar="UID", help="Only notes about this run or scan set, or 'last'.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Only notes of this time or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only notes before this time.")] = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """List the notes of the logbook, the earliest first, or search them."""
    from beamline.records.logbook import read_logbook
    from beamline.records.runs.find import find
    from beamline.records.runs.journal_runs import JournalRuns
    from beamline.records.runs.search import runs_named
    from beamline.records.runs.table import notes_table

    root, console = configuration(config, data).data.root, terminal()
    first = since.timestamp() if since else float("-inf")
    last = until.timestamp() if until else float("inf")
    wanted = {each.uid for each in find(runs_named(JournalRuns(root), [run]), run).runs} if run else None
    logbook = read_logbook(root)
    found = [
        note
        for note in logbook.notes
        if note.matches(" ".join(words or ()), tag)
        and first <= note.time < last
        and (wanted is None or note.run in wanted)
    ]
    for problem in logbook.problems:
        console.print(problem, markup=False)
    console.print(notes_table(found, title="") if found else f"No such note among {len(logbook.notes)}.")


def correct_command(
    name: Annotated[str, uid_argument(metavar="UID|SCAN_SET|last", help="Raw run or scan set.")],
    entries: Annotated[list[str], typer.Argument(metavar="KEY=VALUE ...", help='For example sample="CsPbBr3".')],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    who: Who = "",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Correct sample, proposal, users or entries of your own of past runs; the runs themselves stay as recorded.

    A reduced run stands for its raw run; every reader shows the corrected entry, and what was recorded.
    """
    from beamline.records.logbook import append, new_correction
    from beamline.records.runs.find import find
    from beamline.records.runs.search import runs_named

    wanted = dict(parse_entry(each) for each in entries)
    with stored(config, data, "journal") as found:
        runs = runs_named(found.store, [name])
        here = {run.uid: run for run in runs}
        raw = dict.fromkeys(run.raw_uid or run.uid for run in find(runs, name).runs)
        made = [new_correction(uid, wanted, who=who, reason=reason) for uid in raw]
        for correction in made:
            changes = _changes(here.get(correction.run), correction.entries)
            if changes:
                append(found.config.data.root, correction)
            said = "; ".join(changes) or "has these entries already"
            found.console.print(f"run {correction.run[:8]}: {said}", markup=False, soft_wrap=True)


def _changes(run: Run | None, entries: Any) -> list[str]:
    before = run.start if run is not None else {}
    return [f"{key} {before.get(key)!r} -> {value!r}" for key, value in entries.items() if before.get(key) != value]


def parse_entry(text: str) -> tuple[str, str]:
    """Key and value of ``key=value``; the value may be empty.

    Raises
    ------
    typer.BadParameter
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise typer.BadParameter(f'corrections are KEY=VALUE, for example sample="CsPbBr3", not {text!r}')
    return key.strip(), value.strip()


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("note")(note_command)
    app.command("notes")(notes_command)
    app.command("correct")(correct_command)
