"""Records over real Channel Access: types, fields, limits, what may be written."""

from __future__ import annotations

import ctypes
import re
import socket
import struct
import subprocess
import sys

import epics
import numpy as np
import pytest

from sim_ioc.records.channels import DoubleChannel, PutRefusedError
from tests.helpers.ioc_process import ROOT
from tests.helpers.pvs import release
from tests.sim_ioc.ca import Channels


@pytest.mark.parametrize(
    ("suffix", "kind", "count"),
    [
        ("7ida:BraggEAO", "double", 1),
        ("7ida:KohzuMoving", "enum", 1),
        ("7idd:FPGA1:Counts", "long", 120),
        ("7idd:FPGA1:PairCounts", "long", 600),
        ("7idd:FPGA1:NumPhases_RBV", "long", 1),
        ("7idd:FPGA1:Acquire", "enum", 1),
        ("7idd:scaler1.CNT", "enum", 1),
        ("7idd:scaler1.CONT", "enum", 1),
        ("7idd:scaler1.S2", "double", 1),
        ("7idd:scaler1.PR1", "double", 1),
        ("7idd:scaler1.TP", "double", 1),
        ("7idd:scaler1.FREQ", "double", 1),
        ("7idd:scaler1.RATE", "float", 1),
        ("7idd:scaler1.NCH", "short", 1),
        ("7idd:scaler1.NM2", "string", 1),
        ("7idd:scaler1.G1", "enum", 1),
        ("Mt:S:FillPatternWF", "double", 1296),
        ("7idd:BPM1:ByPhase", "double", 120),
        ("S:DesiredMode", "enum", 1),
    ],
)
def test_types_and_counts(default_ioc: Channels, suffix: str, kind: str, count: int) -> None:
    pv = default_ioc.pv(suffix)
    assert pv.type.rpartition("_")[2] == kind
    assert pv.nelm == count


def test_fields_that_clients_rely_on(default_ioc: Channels) -> None:
    for field, value in {"EGU": "keV", "PREC": 6, "DRVH": 24.0, "DRVL": 6.0, "HOPR": 24.0, "LOPR": 6.0}.items():
        assert default_ioc.get(f"7ida:BraggEAO.{field}") == value
    assert default_ioc.get("7ida:BraggEAO.RTYP") == "ao"
    assert default_ioc.get("7ida:BraggEAO.VAL") == default_ioc.get("7ida:BraggEAO")
    assert default_ioc.get("7idd:FPGA1:Acquire.RTYP") == "busy"
    assert default_ioc.get("7idd:FPGA1:Counts.NELM") == 120
    shown = default_ioc.pv("7idd:DG1:ADelayAO").get_ctrlvars()
    assert (shown["units"], shown["precision"]) == ("s", 12)
    assert (shown["lower_ctrl_limit"], shown["upper_ctrl_limit"]) == (0.0, 2e-6)


def test_pattern_is_reported(default_ioc: Channels) -> None:
    assert default_ioc.get("7idd:FPGA1:NumBunches_RBV") == 24
    assert default_ioc.get("7idd:FPGA1:NumPhases_RBV") == 120
    assert default_ioc.get("7idd:Timing:LaserDivider") == 5
    assert default_ioc.get("7idd:Timing:BunchRate_RBV") == pytest.approx(6.51730e6, rel=1e-6)
    assert default_ioc.get("7idd:Timing:LaserRate_RBV") == pytest.approx(1.303459e6, rel=1e-6)
    assert default_ioc.get("7idd:Laser:RepRate_RBV") == pytest.approx(1.303459e6, rel=1e-6)
    fill = np.asarray(default_ioc.get("Mt:S:FillPatternWF"))
    assert np.flatnonzero(fill).tolist() == list(range(0, 1296, 54))
    assert fill.sum() == pytest.approx(102.0, rel=0.01)  # it has noise


@pytest.mark.parametrize(
    ("suffix", "value"),
    [
        ("7ida:BraggEAO", 24.001),
        ("7ida:BraggEAO", 5.999),
        ("7ida:BraggEAO", float("nan")),
        ("7ida:BraggEAO", float("inf")),
        ("7idd:DG1:ADelayAO", -1e-12),
        ("7idd:digDelay1:delay", 2000.1),
        ("7idd:FPGA1:PresetTime", 0.0),
        ("7idd:FPGA1:GateDly-1_WIDTH", 0),
        ("7idd:Timing:LaserPhase", 5),
        ("7idd:scaler1.TP", 500.0),
        ("7idd:scaler1.CONT", 1),
        ("7idd:Laser:Shutter", 2),
    ],
)
def test_puts_past_a_limit_are_refused(default_ioc: Channels, suffix: str, value: float) -> None:
    before = default_ioc.get(suffix)
    default_ioc.raw_put(suffix, value)
    default_ioc.put(suffix, value)  # comes after the raw one on the same circuit
    assert default_ioc.get(suffix) == before
    assert default_ioc.get("7ida:KohzuMoving") == 0


@pytest.mark.parametrize(
    ("suffix", "value"),
    [("7ida:BraggEAO", "abc"), ("7ida:BraggEAO", ""), ("7idd:Laser:Shutter", "Ajar"), ("7idd:Timing:LaserPhase", "x")],
)
def test_puts_that_make_no_sense_are_refused(default_ioc: Channels, suffix: str, value: str) -> None:
    before = default_ioc.get(suffix)
    chid = default_ioc.pv(suffix).chid
    sent = ctypes.create_string_buffer(value.encode(), epics.dbr.MAX_STRING_SIZE)
    epics.ca.libca.ca_array_put(epics.dbr.STRING, 1, chid, sent)
    epics.ca.flush_io()
    default_ioc.put("7idd:I0:Dark", 1000.0)
    assert default_ioc.get(suffix) == before


def test_enums_take_names_and_numbers(steady: Channels) -> None:
    mode = "7ida:KohzuModeBO"
    for value, index in (("Manual", 0), ("Auto", 1), (0, 0), (1, 1)):
        steady.put(mode, value)
        assert steady.get(mode) == index


def test_a_refused_put_is_answered_with_an_error_status(default_ioc: Channels) -> None:
    """Straight from the protocol: WRITE_NOTIFY is answered with ECA_PUTFAIL (160), a good one with ECA_NORMAL (1)."""
    with socket.create_connection(("127.0.0.1", default_ioc.ioc.port), timeout=10) as sock:
        circuit = RawCircuit(sock)
        sid = circuit.create(default_ioc.ioc.name("7idd:digDelay1:delay"))
        assert circuit.write_notify(sid, 1e9) == 160
        assert circuit.write_notify(sid, 0.0) == 1
        readback = circuit.create(default_ioc.ioc.name("7idd:digDelay1:actualDelay"))
        assert circuit.write_notify(readback, 5.0) == 376  # ECA_NOWTACCESS
    assert default_ioc.get("7idd:digDelay1:actualDelay") == 0.0


@pytest.mark.parametrize(
    "suffix",
    [
        "7ida:BraggERdbkAO",
        "7ida:KohzuMoving",
        "7idd:FPGA1:Counts",
        "7idd:FPGA1:ElapsedTime_RBV",
        "7idd:scaler1.S2",
        "7idd:scaler1.T",
        "7idd:Laser:ShutterStatus_RBV",
        "S-DCCT:CurrentM",
        "7idd:Timing:LaserDivider",
        "Clock:Speedup",
        "7ida:BraggEAO.DRVH",
    ],
)
def test_readbacks_cannot_be_written(default_ioc: Channels, suffix: str) -> None:
    pv = default_ioc.pv(suffix)
    assert pv.read_access
    assert not pv.write_access


def test_no_raw_client_can_write_what_is_read_only(default_ioc: Channels) -> None:
    """Every PV that is listed as read-only, by messages without a request of access rights first."""
    command = [sys.executable, "-m", "sim_ioc", "--prefix", default_ioc.ioc.prefix, "--list"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [re.split(r"\s{2,}", line) for line in listed.splitlines()]
    read_only = [row[0] for row in rows if row[5] == "r"]
    assert len(read_only) > 60
    with socket.create_connection(("127.0.0.1", default_ioc.ioc.port), timeout=10) as sock:
        circuit = RawCircuit(sock)
        refused = [name for name in read_only if circuit.write_notify(circuit.create(name), 1.0) == 376]
    assert refused == read_only
    assert default_ioc.get("7ida:BraggERdbkAO") == pytest.approx(default_ioc.get("7ida:BraggEAO"), abs=1e-4)


def test_heartbeats_count_wall_seconds(default_ioc: Channels) -> None:
    """By the time stamps of the server, whose clock has a speed-up of 200."""
    for suffix in ("7ida:Heartbeat", "7idd:Heartbeat"):
        pv = default_ioc.pv(suffix)
        first = pv.get_with_metadata(form="time", use_monitor=False)
        default_ioc.wait(suffix, lambda value, count=first["value"]: value >= count + 2)
        last = pv.get_with_metadata(form="time", use_monitor=False)
        seconds_per_beat = (last["timestamp"] - first["timestamp"]) / (last["value"] - first["value"])
        assert seconds_per_beat >= 0.99  # a busy server may be late, and is never early


def test_speedup_is_a_record(default_ioc: Channels) -> None:
    assert default_ioc.get("Clock:Speedup") == 200.0


def test_monitors_come_on_change_only(default_ioc: Channels) -> None:
    seen: list[float] = []
    pv = epics.PV(default_ioc.ioc.name("7idd:Timing:RFFrequency_RBV"), auto_monitor=True)
    pv.add_callback(lambda value=None, **_: seen.append(value))
    assert pv.wait_for_connection(10)
    default_ioc.put("7idd:I0:Dark", 1000.0)
    default_ioc.get("7idd:I0:Dark")
    assert len(seen) <= 1
    release(pv)


def test_real_names_are_not_served(default_ioc: Channels) -> None:
    pv = epics.PV("7ida:BraggEAO", auto_monitor=False)
    assert not pv.wait_for_connection(0.5)
    release(pv)


class RawCircuit:
    """The few messages of Channel Access that a put needs."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._next_id = 0
        self._send(0, count=13)  # version
        self._send(20, payload=b"tester\0\0")  # client name
        self._send(21, payload=b"localhost\0\0\0\0\0\0\0")  # host name

    def _send(self, command: int, kind: int = 0, count: int = 0, a: int = 0, b: int = 0, payload: bytes = b"") -> None:
        self._sock.sendall(struct.pack(">HHHHII", command, len(payload), kind, count, a, b) + payload)

    def _receive(self, command: int) -> tuple[int, ...]:
        while True:
            header = struct.unpack(">HHHHII", self._exactly(16))
            extended = header[1] == 0xFFFF  # a record of more elements than two bytes count
            self._exactly(struct.unpack(">II", self._exactly(8))[0] if extended else header[1])
            if header[0] == command:
                return header

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._sock.recv(length - len(data))
            assert more, "the server hung up"
            data += more
        return data

    def create(self, name: str) -> int:
        """Create a channel; its server id."""
        self._next_id += 1
        payload = name.encode() + b"\0" * (8 - len(name) % 8)
        self._send(18, a=self._next_id, b=13, payload=payload)
        return int(self._receive(18)[5])

    def write_notify(self, sid: int, value: float) -> int:
        """Put a double with completion; the status of the answer."""
        self._next_id += 1
        self._send(19, kind=6, count=1, a=sid, b=self._next_id, payload=struct.pack(">d", value))
        return int(self._receive(19)[4])


def test_a_channel_without_limits_takes_finite_numbers_only() -> None:
    channel = DoubleChannel(value=0.0)
    assert channel.accept([2.5]) == 2.5
    for value in (float("nan"), float("inf")):
        with pytest.raises(PutRefusedError, match="not a finite number"):
            channel.accept([value])
