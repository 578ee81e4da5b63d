"""A background run shuts the X-ray shutter: what it may open again afterwards, and the next scan."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import epics
import pytest

from beamline.session.session import Session, start
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import StartIoc

SPEEDUP = 200.0
OPENED = "The X-ray shutter is opened by the scan of "
MEANWHILE = {
    "its permit was lost meanwhile": ("Fault:PermitLost", 1, 0),
    "somebody else has shut it, too": ("7ida:rShtrA:Close", 1, None),
}


@pytest.mark.filterwarnings("ignore:ca.get")
def test_a_background_run_opens_only_what_nobody_else_has_shut(start_ioc: StartIoc, tmp_path: Path) -> None:
    ioc = start_ioc(speedup=SPEEDUP)
    said: list[str] = []
    config = configuration(tmp_path / "data", ioc.prefix, SPEEDUP)

    def put(name: str, value: float) -> None:
        assert epics.caput(ioc.name(name), value, wait=True, timeout=10) == 1

    with start(config, fill_catalogue=False, notify=said.append) as session:
        assert isinstance(session, Session)
        shutter = session.beamline.xray_shutter

        def background(name: str, *values: Any) -> None:
            def disturb(kind: str, doc: dict[str, Any]) -> None:
                if doc["seq_num"] == 2 and "laser_on" in doc["data"]:
                    ended.start()
                    ended.join(20)

            def puts() -> None:
                epics.ca.use_initial_context()
                for value in values:
                    if value is not None:
                        put(name, value)

            ended = threading.Thread(target=puts)
            token = session.RE.subscribe(disturb, "event")
            said.clear()
            result = session.RE(session.scans.plans["background_run"](dwell=20.0, repeats=2))
            session.RE.unsubscribe(token)
            assert result.exit_status == "success"

        background("7idd:Jet:Flow")
        assert shutter.position == 1 and [line for line in said if line.startswith(OPENED)]
        for why, changes in MEANWHILE.items():
            background(*changes)
            assert shutter.position == 0
            assert f"The X-ray shutter stays shut after the run without X-rays: {why}." in said
            shutter.set(1).wait(10)
            scan = session.energy_scan(energies=[13.46, 13.472], dwell=1.0, passes=1)
            assert session.RE(scan).exit_status == "success"
            assert shutter.position == 1
