"""What `make install` compiles is all that the simulator needs, in each packaged scenario: no dwell waits for numba."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DRAW = """
from pathlib import Path

from sim_ioc.physics import pair_chain, shot_drawing
from sim_ioc.physics.shot_tape import ShotTape, warm_up
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario
from sim_ioc.timebase.clock import SimulatedClock

KERNELS = [each for room in (pair_chain, shot_drawing) for each in vars(room).values() if hasattr(each, "signatures")]


def compiled():
    return {(kernel.py_func.__name__, str(types)) for kernel in KERNELS for types in kernel.signatures}


warm_up()
before = compiled()
for path in sorted(Path("sim_ioc/scenarios").glob("*.toml")):
    world = World(load_scenario(path.stem), SimulatedClock())
    for each in (world, *([world.of_second_apd()] if world.scenario.apd2 is not None else [])):
        each.photon_counts(0.0, 0.005)
    tape = ShotTape(world, 0.0)
    until = tape.shots_until(0.005)
    print(path.stem, sum(part.heights.size for part in tape.draw(tape.prepare(until), until)))
print("more:", *compiled() - before)
"""
"""Prints signatures that the warm-up lacks, whether a cache has them or not."""


def test_no_scenario_compiles_anything_after_the_warm_up() -> None:
    done = subprocess.run([sys.executable, "-c", DRAW], cwd=ROOT, capture_output=True, text=True, check=True)
    *drawn, more = done.stdout.splitlines()
    assert more == "more:"
    assert len(drawn) == len(list((ROOT / "sim_ioc" / "scenarios").glob("*.toml")))
    assert any(int(line.split()[1]) > 10_000 for line in drawn)
