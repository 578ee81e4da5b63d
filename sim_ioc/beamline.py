"""The whole simulated beamline: its devices and every PV they serve."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from sim_ioc.instruments.apd import SimApd
from sim_ioc.instruments.attenuator import SimAttenuator
from sim_ioc.instruments.axis_motors import SimAxisMotors
from sim_ioc.instruments.boxcar import SimUhf
from sim_ioc.instruments.bunch_monitor import SimBunchMonitor
from sim_ioc.instruments.cell import SimCell
from sim_ioc.instruments.delay import SimDelayGenerator
from sim_ioc.instruments.digitiser import SimDigitiser
from sim_ioc.instruments.faults import Breakable, Faults
from sim_ioc.instruments.fluorescence import SimFluorescence
from sim_ioc.instruments.foil_stage import SimFoilStage
from sim_ioc.instruments.fpga import SimFpga
from sim_ioc.instruments.frames import SimFrames
from sim_ioc.instruments.hdf5_plugin import SimHdf5Plugin
from sim_ioc.instruments.jet import SimJet
from sim_ioc.instruments.knife import SimKnife
from sim_ioc.instruments.laser import SimLaser
from sim_ioc.instruments.mono import SimMonochromator
from sim_ioc.instruments.pilatus import PLUGIN, SimPilatus
from sim_ioc.instruments.ring import SimRing
from sim_ioc.instruments.scaler import SimScaler
from sim_ioc.instruments.stage import SimSampleStage
from sim_ioc.instruments.steering import SimSteering
from sim_ioc.instruments.timing import SimBunchTiming
from sim_ioc.physics.powder import PowderWorld
from sim_ioc.physics.world import World
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, long_in
from sim_ioc.records.put_log import SimPutLog
from sim_ioc.records.text import text_waveform
from sim_ioc.scenario.scenario import Scenario
from sim_ioc.timebase.clock import SimulatedClock

COUNTING = ("busy", "scaler")
"""Types of records that every count puts to."""
CONTROLLER = "7idd:Controller"
PREFIX_PATTERN = re.compile(r"sim[A-Za-z0-9_]*:")


class Heartbeats(SimDevice):
    """Counters that advance once per wall second while the server lives, and the rate of its clock."""

    def __init__(self, speedup: float) -> None:
        super().__init__()
        self._beats = [long_in(0, Shown("s"), "increments once a second") for _ in range(2)]
        self.records = {
            "7ida:Heartbeat": self._beats[0],
            "7idd:Heartbeat": self._beats[1],
            "Clock:Speedup": analog_in(speedup, Shown("", 3), "beamline seconds per wall second"),
        }

    async def run(self) -> None:
        """Beat."""
        count = 0
        while True:
            await asyncio.sleep(1.0)
            count = (count + 1) % 2**31
            for beat in self._beats:
                await beat.post(count)


class SimController(SimDevice):
    """The text in which the controlling session puts its name, every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.records = {CONTROLLER: text_waveform("", "session that controls the beamline", writable=True)}


class SimBeamline:
    """Every device of a scenario.

    Parameters
    ----------
    scenario
        The truth.
    speedup
        Beamline seconds per wall second.
    """

    def __init__(self, scenario: Scenario, speedup: float) -> None:
        self.world = World(scenario, SimulatedClock(speedup))
        mono, scaler, digitiser = SimMonochromator(self.world), SimScaler(self.world), SimDigitiser(self.world)
        monitor = SimBunchMonitor(self.world)
        fpga = SimFpga(self.world, digitiser, monitor)
        laser, ring, jet = SimLaser(self.world), SimRing(self.world), SimJet(self.world)
        timing, frames = SimBunchTiming(self.world, fpga), SimFrames(self.world, mono.encoder_keV)
        named: dict[str, SimDevice] = {
            "mono": mono,
            "scaler": scaler,
            "fpga": fpga,
            "frames": frames,
            "laser": laser,
            "delay": SimDelayGenerator(self.world),
            "timing": timing,
            "ring": ring,
            "jet": jet,
            "stage": SimSampleStage(self.world),
            "steering": SimSteering(self.world),
            "knife": SimKnife(self.world),
            "foil_stage": SimFoilStage(self.world),
            "attenuator": SimAttenuator(self.world),
            "axis_motors": SimAxisMotors(self.world),
            "apd": SimApd(self.world),
            "uhf": SimUhf(self.world),
            "digitiser": digitiser,
            **self._second_apd(),
            **self._powder(ring),
        }
        faults = Faults(self.world, Breakable(ring, laser, mono, scaler, jet, timing, frames), named)
        self._put_logs = [SimPutLog("7ida:"), SimPutLog("7idd:")]
        if self.world.scenario.powder is not None:
            self._put_logs.append(SimPutLog("X10DA-"))
        self.devices: list[SimDevice] = [
            *named.values(),
            monitor,
            Heartbeats(speedup),
            SimController(),
            faults,
            *self._put_logs,
        ]

    def _second_apd(self) -> dict[str, SimDevice]:
        """A second APD and its counter, if the scenario has them."""
        if self.world.scenario.apd2 is None:
            return {}
        world = self.world.of_second_apd()
        return {"apd2": SimApd(world, "7idd:APD2:"), "fpga2": SimFpga(world, prefix="7idd:FPGA2:")}

    def _powder(self, ring: SimRing) -> dict[str, SimDevice]:
        """Cell, detectors and I0 of a powder, if the scenario has one; the ring has the names of that facility too."""
        truth = self.world.scenario.powder
        if truth is None:
            return {}
        powder = PowderWorld(self.world, truth)
        ring.records["ARIDI-PCT:CURRENT"] = ring.current_elsewhere
        plugin = SimHdf5Plugin(PLUGIN)
        return {
            "i0": SimScaler(self.world, "X10DA-ES1:"),
            "cell": SimCell(powder),
            "fluorescence": SimFluorescence(powder),
            "pilatus": SimPilatus(powder, plugin),
            "images": plugin,
        }

    def records(self, prefix: str) -> dict[str, Any]:
        """Records by full PV name.

        Raises
        ------
        ValueError
            The prefix is missing, or the names could be those of real PVs.
        """
        if not PREFIX_PATTERN.fullmatch(prefix):
            raise ValueError(
                f"prefix {prefix!r} must begin with sim and end with a colon (as in sim:): "
                "a simulator never serves real names"
            )
        served: dict[str, Any] = {}
        for device in self.devices:
            for name, record in device.records.items():
                record.pv_name = prefix + name
                for field, channel in record.fields.items():
                    channel.pv_name = f"{prefix}{name}.{field}"
                self._log_puts(name, record)
                served[prefix + name] = record
        return served

    def _log_puts(self, name: str, record: Any) -> None:
        """Have the puts to a record and its fields logged; those of each count, or without a change, are too many."""
        for log in self._put_logs:
            often = record.reported_record_type in COUNTING or name == CONTROLLER
            if name.startswith(log.prefix) and not often:
                for channel in (record, *record.fields.values()):
                    channel.put_logger = log.log

    async def run(self) -> None:
        """Run the background work of all devices, for ever."""
        await asyncio.gather(*(device.run() for device in self.devices))
