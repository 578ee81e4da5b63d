"""A seeded random walk of faults over a simulated shift, with a scan after each: ``python -m tests.chaos``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path

from beamline.records.catalogue.client import close_catalogue, open_catalogue
from tests.beamline.tiled_process import API_KEY, WITH_BATCHES, TiledProcess
from tests.chaos.at_the_end import nothing_is_left, shift_is_whole
from tests.chaos.checkpoint import Checkpoints
from tests.chaos.ends import ENDS, after_a_scan
from tests.chaos.fault import Fault
from tests.chaos.faults import FAULTS
from tests.chaos.flagged import dwells, nothing_spoilt_counts, numbers_agree
from tests.chaos.leftovers import MARK, environment, threads
from tests.chaos.session_process import DWELLS
from tests.chaos.shift import START_TIMEOUT, Shift
from tests.chaos.violation import ViolationError
from tests.helpers.ioc_process import IocPool

CATALOGUES = EMBEDDED, SERVER, SAMPLE = "embedded", "server", "sample"
"""One embedded in its writer; that of a Tiled server; or none during the shift, and some runs in one after it."""
LAST_DWELLS = 4
"""No fault begins in these of a scan."""


def walk(
    seed: int,
    faults: Sequence[Fault],
    folder: Path,
    pool: IocPool,
    notify: Callable[[str], None] = print,
    *,
    first: int = 1,
    catalogue: str = EMBEDDED,
    keep_going: bool = False,
    minutes: float = inf,
    to_be_continued: bool = False,
) -> list[str]:
    """Cause the faults one after the other in a shift; returns the history.

    Parameters
    ----------
    seed : int
    faults : sequence of Fault
    folder : Path
        The shift writes nowhere else. Empty, or that of an earlier walk, whose shift goes on after its last fault.
    pool : IocPool
    notify : callable
        Takes a line for each fault.
    first : int
        Number of the first fault; those before it are omitted, and nothing is drawn differently.
    catalogue : str
        One of `CATALOGUES`.
    keep_going : bool
        Print a violation after a fault, and go on with another session.
    minutes : float
        End the shift before the first fault that would begin later.
    to_be_continued : bool
        Leave the checks at the end of the shift to the walk that reaches the last fault.

    Raises
    ------
    ViolationError
        At the first violated invariant, with seed and history.
    """
    (folder / "temporary").mkdir(exist_ok=True)
    mark = f"{folder} {time.time_ns()}"
    with ExitStack() as stack:
        stack.enter_context(environment(**{MARK: mark, "TMPDIR": str(folder / "temporary"), "TILED_API_KEY": API_KEY}))
        server = tiled_server(folder) if catalogue == SERVER else None
        shift = Shift(folder, pool, server, stores=catalogue != SAMPLE)
        stack.callback(shift.abandon)
        try:
            before = threads()
            checkpoints = Checkpoints(shift, seed)
            first = max(first, checkpoints.walked + 1)
            notify(f"chaos: seed {seed}, faults {first} to {len(faults)}")
            numbered = list(enumerate(faults, 1))[first - 1 :]
            deadline = time.monotonic() + 60 * minutes
            number, took = go_through(shift, checkpoints, numbered, seed, notify, keep_going, deadline)
            if number == len(numbered) or not to_be_continued:
                shift_is_whole(shift)
            shift.stop_servers()
            nothing_is_left(shift, before)
        except Exception as error:
            history = "\n".join(shift.history[-60:])
            raise ViolationError(f"seed {seed}: {type(error).__name__}: {error}\nhistory:\n{history}") from error
    kinds = len({fault.name for _, fault in numbered[:number]})
    last = first + number - 1
    notify(f"faults {first} to {last} of {kinds} kinds, {len(shift.events)} events: {took:.1f} s a fault, seed {seed}")
    return shift.history


def tiled_server(folder: Path) -> TiledProcess:
    """A Tiled server with an empty catalogue, running; it takes batches, as the embedded one."""
    close_catalogue(open_catalogue(folder / "empty"))
    server = TiledProcess(folder / "server", folder / "empty", WITH_BATCHES).start(wait=False)
    server.wait_until_up(START_TIMEOUT)
    return server


def go_through(
    shift: Shift,
    checkpoints: Checkpoints,
    faults: Sequence[tuple[int, Fault]],
    seed: int,
    notify: Callable[[str], None],
    keep_going: bool,
    deadline: float,
) -> tuple[int, float]:
    """Cause the faults until the deadline, then close the session; returns their number and mean time, s."""
    shift.begin()
    shift.scan_well()
    first, done = time.monotonic(), 0
    for number, fault in faults:
        if (began := time.monotonic()) > deadline:
            break
        done += 1
        try:
            step(shift, fault, random.Random(f"{seed} {number}"))
        except ViolationError as violation:
            if not keep_going:
                raise
            shift.note(f"VIOLATION, {violation}")
            shift.begin_again()
        checkpoints.add(number)
        notify(f"{number:4d} {shift.history[-1]} ({time.monotonic() - began:.1f} s)")
    took = (time.monotonic() - first) / max(done, 1)
    shift.close()
    return done, took


def step(shift: Shift, fault: Fault, rng: random.Random) -> None:
    """Run a scan with a fault, and one after it."""
    moment = rng.randrange(1, DWELLS - LAST_DWELLS)
    shift.begin_step()
    shift.begin_scan(moment)
    shift.note(f"{fault.name}, after {moment} dwells")
    fault.cause(shift, rng)
    how = ENDS[fault.session](shift, fault)
    after_a_scan(shift)
    disturbed = list(dwells(shift, shift.runs))
    shift.scan_well()
    nothing_spoilt_counts(shift, fault, disturbed)
    numbers_agree(disturbed, dwells(shift, shift.runs))
    shift.note(f"{fault.name}, after {moment} dwells: {how[:150]}; the next scan succeeds")


def random_faults(seed: int, number: int, kinds: Sequence[Fault] = FAULTS) -> list[Fault]:
    """So many faults, in shuffled decks of all kinds: no kind comes again before all others have come."""
    rng = random.Random(seed ^ 0xFA17)
    decks = (rng.sample(kinds, len(kinds)) for _ in range(number // len(kinds) + 1))
    return [fault for deck in decks for fault in deck][:number]
