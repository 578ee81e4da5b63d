"""The table of `trxas list` and the page of `trxas show`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from beamline.formatting import format_delay, printable, when
from beamline.records.logbook import CORRECTED, Note
from beamline.records.runs.detectors import detector_results
from beamline.records.runs.find import reduced_runs
from beamline.records.runs.run import RAW_DAMAGE, REPLAYED, Run
from beamline.records.runs.store import RunStore
from reduction.documents.raw import IMPORTED, PRIMARY, is_pumped
from reduction.documents.streams import has_result

COLUMNS = ("began", "scan", "plan", "edge", "delay", "pass", "points", "ended", "uid", "remark")
SHORT_NOTE = 40
"""Characters of a note in the list of runs."""
RIGHT = ("scan", "delay", "pass", "points")
NARROW = 110
"""Characters below which the list leaves out `SPARED` columns and the year."""
SPARED = ("edge", "points")


def list_table(
    store: RunStore, runs: list[Run], shown: Iterable[Run], *, health: bool = False, width: int = NARROW
) -> Table:
    """Table of raw runs, each with its reduced runs below it.

    Parameters
    ----------
    store : RunStore
    runs : list of Run
        All runs.
    shown : iterable of Run
        The raw runs to show, and reduced runs whose raw run is missing.
    health : bool
        Whether remarks begin with the verdict on each pass, for which all dwells are read.
    width : int
        Characters of the terminal.
    """
    shown, narrow = list(shown), width < NARROW
    several = len({run.start.get("beamline_name") for run in shown}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0) if narrow else (0, 1))
    for name in (*COLUMNS, *(["beamline"] if several else [])):
        if not (narrow and name in SPARED):
            table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "remark")
    for run in shown:
        for row, style in _rows(store, runs, run, health):
            where = [plain_text(run.start.get("beamline_name", ""))] if several and not style else []
            table.add_row(*(_narrow(row) if narrow else row), *where, style=style)
    return table


def _rows(store: RunStore, runs: list[Run], run: Run, health: bool) -> Iterator[tuple[list[Text], str]]:
    """Cells and style of the lines of a run."""
    if run.raw_uid is not None:
        yield _reduced_row(store, run, None), "dim"
        return
    yield _raw_row(store, run, _verdict(store, runs, run) if health else ""), ""
    for reduced in reduced_runs(runs, run.uid):
        yield _reduced_row(store, reduced, run), "dim"


def _verdict(store: RunStore, runs: list[Run], run: Run) -> str:
    from beamline.records.runs.health import health_of  # imported here: a list without verdicts needs no kernels

    return str(health_of(store, runs, run) or "")


def _narrow(row: list[Text]) -> list[Text]:
    """Cells of a line without the spared ones, and the time without the year."""
    began, *others = (cell for name, cell in zip(COLUMNS, row, strict=True) if name not in SPARED)
    return [began[len("2026-") :] if len(began) else began, *others]


def _raw_row(store: RunStore, run: Run, verdict: str) -> list[Text]:
    start = run.start
    number = start.get("scan_index")
    of_passes = f"{number + 1}/{start.get('passes', '?')}" if isinstance(number, int) else ""
    return [
        plain_text(entry)
        for entry in (
            when(run.time), start.get("scan_id", ""), start.get("plan_name", ""), start.get("edge", ""),
            run_delay(start), of_passes, format_points(store, run), run.status,
            run.uid[:8], _remark(verdict, _origin(start), store.damage(run), *_reason(run), *_from_logbook(run)),
        )
    ]  # fmt: skip


def _reason(run: Run) -> list[str]:
    return [str((run.stop or {}).get("reason", ""))]


def _from_logbook(run: Run) -> list[str]:
    """What was corrected in a run, and the beginning of its last note."""
    corrected = [f"corrected: {', '.join(run.start[CORRECTED])}"] if CORRECTED in run.start else []
    if not run.notes:
        return corrected
    text = " ".join(run.notes[-1].text.split())
    short = text if len(text) <= SHORT_NOTE else f"{text[: SHORT_NOTE - 3]}..."
    more = f" ({len(run.notes)} notes)" if len(run.notes) > 1 else ""
    return [*corrected, f'"{short}"{more}']


def _origin(start: Mapping[str, Any]) -> str:
    """File and part of an imported run; empty for a run of ours."""
    entry = start.get(IMPORTED)
    return f"from {entry.get('file')} {entry.get('part')}".strip() if isinstance(entry, Mapping) else ""


def run_delay(start: Mapping[str, Any]) -> str:
    """Pump-probe delay of a run; empty where a file has none."""
    if not is_pumped(start):
        return "no laser"
    entry = start.get(IMPORTED)
    without = isinstance(entry, Mapping) and not start.get("pump_delay")
    return "" if without else format_delay(start.get("pump_delay"))


def _remark(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _reduced_row(store: RunStore, run: Run, raw: Run | None) -> list[Text]:
    how = _how(run)
    remarks = [store.damage(run), "of damaged raw data" if run.start.get(RAW_DAMAGE) else ""]
    remarks += [f"with {changes}"] if (changes := changed_settings(run, raw)) else []
    if run.stop is not None and not has_result(run.stop):
        remarks.append(run.stop.get("reason") or "no result")
    orphan = "" if raw is not None else f" of {str(run.raw_uid)[:8]}"
    passes = len(run.start.get("accumulates", ())) + 1
    cells = ("", "", f"  reduced {how}{orphan}", "", "", f"sum {passes}", "", run.status, run.uid[:8])
    return [plain_text(entry) for entry in (*cells, _remark(*remarks))]


def _how(run: Run) -> str:
    """What made a reduced run."""
    if REPLAYED in run.start:
        return "replay"
    return "at import" if IMPORTED in run.start else "live"


def changed_settings(run: Run, raw: Run | None) -> str:
    """Settings of a reduced run that differ from those of the raw run."""
    recorded = dict(raw.start.get("settings", {})) if raw is not None else {}
    ours = run.start.get("settings", {})
    return ", ".join(f"{key}={ours[key]}" for key in recorded if key in ours and ours[key] != recorded[key])


def format_points(store: RunStore, run: Run) -> str:
    """Points taken and planned; with several dwells per point, complete points only."""
    events = store.num_events(run).get(PRIMARY, 0)
    planned = run.start.get("num_points")
    if not isinstance(planned, int):
        return str(events)
    dwells = max(1, len(run.start.get("pattern", (1,))))
    return f"{min(events // dwells, planned)}/{planned}"


def show_page(store: RunStore, runs: list[Run], run: Run) -> Group:
    """Print metadata, streams and qualities of a run, and its related runs."""
    parts: list[RenderableType] = [plain_text(_headline(run))]
    if damage := store.damage(run):
        parts.append(plain_text(damage))
    parts.append(_table(run.start, "start document"))
    streams = store.num_events(run)
    parts.append(_table({name: f"{count} events" for name, count in streams.items()} or {"": "none"}, "streams"))
    if verdict := _verdict(store, runs, run):
        parts.append(plain_text(f"health {verdict}"))
    if run.notes:
        parts.append(notes_table(run.notes))
    if run.raw_uid is None:
        parts.append(_table(qualities(store, run), "dwells by quality"))
        linked = {reduced.uid: _link(reduced, run) for reduced in reduced_runs(runs, run.uid)}
        parts.append(_table(linked or {"": "none; `trxas reduce` creates one"}, "reduced runs"))
    else:
        here = any(other.uid == run.raw_uid for other in runs)
        parts.append(_table({run.raw_uid: "raw run" if here else "raw run, not here"}, "made from"))
        parts += _detectors(store, run)
    if run.stop is not None:
        parts.append(_table(run.stop, "stop document"))
    return Group(*parts)


def notes_table(notes: Iterable[Note], title: str = "notes") -> Table:
    """Notes, the earliest first: when, who, at which run and dwell, text and tags."""
    table = Table(box=None, title=title, title_justify="left", title_style="bold", show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for note in notes:
        where = f"{note.run[:8]} dwell {note.dwell}" if note.run else "between runs"
        text = Text("\n").join(plain_text(line) for line in note.tagged_text().splitlines())
        table.add_row(plain_text(when(note.time)), plain_text(note.who), plain_text(where), text)
    return table


def _detectors(store: RunStore, run: Run) -> list[RenderableType]:
    """Share and agreement of several detectors; nothing for one."""
    found = detector_results(store.documents(run.uid), "")
    rows = {
        name: f"{100 * share:.0f} % of the combination" if share else "left out" for name, share in found.share.items()
    }
    for quantity, (chi_square, freedom, p_value) in found.agreement.items():
        rows[quantity] = f"chi-square {chi_square:.1f} for {freedom} degrees of freedom, p-value {p_value:.2g}"
    rows |= {name: str(data["notes"]) for name, data in found.analogue.items()}
    return [_table({**rows, "": found.sentence}, "detectors")] if rows else []


def qualities(store: RunStore, run: Run) -> dict[str, int]:
    """Number of dwells by quality; a dwell retaken after a pause counts once."""
    streams: dict[str, str] = {}
    quality: dict[int, str] = {}
    for name, doc in store.documents(run.uid):
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event" and streams.get(doc["descriptor"]) == PRIMARY:
            quality[doc["seq_num"]] = str(doc["data"].get("quality", "not recorded"))
    return dict(Counter(quality.values()).most_common()) or {"": 0}


def _headline(run: Run) -> str:
    kind = "raw run" if run.raw_uid is None else "reduced run"
    sim = ", SIMULATED" if run.start.get("mode") == "sim" else ""
    laser = "" if is_pumped(run.start) else ", no laser"
    return f"{kind} {run.uid}{sim}{laser}, began {when(run.time)}, {run.status}"


def _link(reduced: Run, raw: Run) -> str:
    how = f"replay from the {reduced.start[REPLAYED]}" if REPLAYED in reduced.start else _how(reduced)
    changes = changed_settings(reduced, raw)
    settings = f"settings {reduced.start.get('settings_hash')} {changes and f'({changes})'}"
    return f"{how}, {reduced.status}, {settings}".strip()


def _table(content: Mapping[str, Any], title: str) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in content.items():
        if isinstance(value, Mapping):
            for inner, entry in value.items():
                table.add_row(plain_text(f"{key}.{inner}"), plain_text(_short(entry)))
        else:
            table.add_row(plain_text(key), plain_text(_short(value)))
    return table


def _short(value: Any) -> str:
    """Abbreviate long lists of numbers."""
    if isinstance(value, list) and len(value) > 8:
        return f"[{value[0]}, {value[1]}, ... {value[-1]}] ({len(value)} values)"
    return str(value)


def plain_text(value: Any) -> Text:
    """Text without markup or control characters, with which metadata could manipulate the terminal."""
    return Text(printable(value))
