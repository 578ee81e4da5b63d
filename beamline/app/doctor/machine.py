"""Checks of this machine: disk, catalogue, display, cache of compiled code, Channel Access settings."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from beamline.app.doctor.control import check_controller, check_lock
from beamline.app.doctor.finding import BAD, GOOD, NOTE, Finding
from beamline.config.models import Configuration
from beamline.config.secrets import SecretError
from beamline.session.addresses import off_loopback
from beamline.session.figure_process import has_display, has_qt
from beamline.session.qt_libraries import advice, missing_libraries

LONG_SYNC = 0.2
"""Seconds above which syncing a small file is reported: the journal syncs once a second."""


def check_machine(config: Configuration, *, read_only: bool) -> list[Finding]:
    """All checks except those of records; with `read_only` nothing is written, and permissions are checked instead."""
    return [
        check_addresses(config),
        check_disk(config),
        check_root(config, read_only=read_only),
        check_controller(config),
        check_lock(config),
        check_catalogue(config),
        check_display(config),
        check_compiled(),
    ]


def check_addresses(config: Configuration) -> Finding:
    """The Channel Access environment."""
    listed = os.environ.get("EPICS_CA_ADDR_LIST", "")
    automatic = os.environ.get("EPICS_CA_AUTO_ADDR_LIST", "YES").upper() != "NO"
    if config.mode == "sim" and (why := off_loopback()):
        todo = "Unset EPICS_CA_ADDR_LIST and EPICS_CA_AUTO_ADDR_LIST: a simulated session sets them itself."
        return Finding("Channel Access", BAD, why, todo)
    if not listed and not automatic:
        todo = "Set EPICS_CA_ADDR_LIST to the addresses of the IOCs or of the gateway."
        return Finding("Channel Access", BAD, "no address is searched", todo)
    where = " ".join([listed, *(["all networks of this machine"] if automatic else [])]).strip()
    return Finding("Channel Access", GOOD, f"searches {where}")


def check_disk(config: Configuration) -> Finding:
    """Free space on the disk of the data root."""
    folder = _existing(config.data.root)
    free = shutil.disk_usage(folder).free / 1e9
    least = config.data.min_free_gb
    if free < least:
        todo = f"Free some, or set [data] root elsewhere; below {least:g} GB no scan starts."
        return Finding("disk", BAD, f"{free:.1f} GB free for {config.data.root}, less than {least:g} GB", todo)
    state = NOTE if free < 10 * least else GOOD
    return Finding("disk", state, f"{free:.1f} GB free for {config.data.root}")


def check_root(config: Configuration, *, read_only: bool) -> Finding:
    """Whether the data root is writable; writes, syncs and removes one small file unless `read_only`."""
    root = config.data.root
    todo = f"Grant yourself write permission for {root}, or set [data] root elsewhere."
    if read_only:
        folder = _existing(root)
        if not _writable(folder):
            return Finding("data root", BAD, f"{folder} cannot be written", todo)
        made = "" if root.exists() else "; a session creates it"
        return Finding("data root", GOOD, f"{root} is writable by its permissions, not tested{made}")
    try:
        folder = _existing(root)
        began = time.perf_counter()
        with tempfile.NamedTemporaryFile(prefix=".doctor", dir=folder) as file:
            file.write(b"trxas doctor")
            file.flush()
            os.fsync(file.fileno())
        took = time.perf_counter() - began
    except OSError as error:
        return Finding("data root", BAD, f"{root} cannot be written ({error.strerror})", todo)
    message = f"{root} can be written; a synced file takes {1e3 * took:.0f} ms"
    if took > LONG_SYNC:
        return Finding("data root", NOTE, message, "A local disk is faster than a network folder.")
    return Finding("data root", GOOD, message)


def _server_fault(config: Configuration) -> Finding | None:
    """The fault of the configured Tiled server."""
    from beamline.records.catalogue.health import server_fault

    try:
        key = config.data.catalogue_key() or os.environ.get("TILED_API_KEY")
    except SecretError as error:
        return Finding("catalogue", BAD, str(error), "Documents stay in the journal until the key can be read.")
    fault = server_fault(config.data.catalogue_address, key)
    if fault is None:
        return None
    return Finding("catalogue", NOTE if fault.minor else BAD, fault.message, fault.remedy)


def check_catalogue(config: Configuration) -> Finding:
    """Whether the catalogue server replies, or the embedded catalogue exists, and whether it lags."""
    from beamline.records.catalogue.client import is_server
    from beamline.records.catalogue_writer.lag import catalogue_lag

    where = config.data.catalogue_address
    if is_server(where):
        if found := _server_fault(config):
            return found
    elif not Path(where).is_dir():
        return Finding("catalogue", NOTE, f"{where} does not exist yet; the first session creates it")
    lag = catalogue_lag(config.data.root, where)
    behind = lag.startswith("The catalogue lags")
    return Finding("catalogue", NOTE if behind else GOOD, lag, "The next session continues the copy." if behind else "")


def check_display(config: Configuration) -> Finding:
    """Whether the configured live figure can be shown."""
    choice = config.display.live_figure
    if choice != "auto":
        return Finding(
            "display", GOOD, f"live figure: {'none' if choice == 'off' else config.display.png}, as configured"
        )
    if not has_display():
        todo = 'Log in with a display (ssh -X), or set [display] live_figure = "png".'
        return Finding("display", NOTE, "there is no display here: no live figure opens automatically", todo)
    if not has_qt():
        todo = "`make qt` installs Qt; until then the live figure goes to a file."
        return Finding("display", NOTE, "there is a display, and no Qt", todo)
    if lacking := advice(missing_libraries()):
        return Finding("display", NOTE, lacking, 'Until then, set [display] live_figure = "png".')
    return Finding("display", GOOD, "there is a display, and Qt")


def check_compiled() -> Finding:
    """Whether compiled kernels can be cached: beside the code, in NUMBA_CACHE_DIR or in the user's cache."""
    import reduction

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(str(reduction.__file__)).parent
    folders = [Path(chosen)] if chosen else [beside, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    for folder in folders:
        if _writable(_existing(folder)):
            return Finding(
                "compiled code", GOOD, f"is cached {'beside the code' if folder == beside else f'in {folder}'}"
            )
    todo = "Set NUMBA_CACHE_DIR to a folder that you may write, for example in the shell's profile."
    return Finding("compiled code", BAD, f"cannot be cached: {' and '.join(map(str, folders))} cannot be written", todo)


def _existing(path: Path) -> Path:
    """The path, or its nearest existing parent."""
    absolute = path.absolute()
    return next(each for each in (absolute, *absolute.parents) if each.exists())


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
