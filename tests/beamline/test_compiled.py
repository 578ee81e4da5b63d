"""What `make install` compiles is all that is needed: neither a first block nor `trxas bench` compiles anything."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.ioc_process import ROOT

COUNT = """
import sys
import tempfile
from pathlib import Path

import numpy as np
from numba.core import event

from beamline.studies.bench import kernels as of_bench, row_ways, shots
from beamline.studies.bench.files import FromRow, from_a_row, write_file
from beamline.studies.bench.warm_up import warm_up as warm_up_bench
from reduction.counting import kernels
from reduction.shots.block import Block
from reduction.shots.stretch import reduce_block
from reduction.shots.tags import TaggedBlock
from reduction.shots.warm_up import warm_up

warm_up()
kernels.warm_up()
warm_up_bench()
shots.DRAM_BYTES = 1_000_000


class Compiled(event.Listener):
    names = []

    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event):
        pass


heights = np.arange(-4800, 4800).astype(np.int16)
hits = (heights > 0).astype(np.uint8)
dropped = np.where(heights % 7, hits, 0x80).astype(np.uint8)
clock = np.arange(0, 1000, 100, dtype=np.uint64)
with event.install_listener("numba:compile", Compiled()), tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "row.h5"
    write_file(path, heights, 1)
    row = FromRow(path)
    row.reduce()  # a mapped row, which cannot be written
    row.close()
    for block in (
        Block(0, 0, hits),
        Block(0, 3, dropped),
        Block(0, 0, heights),
        Block(0, 0, heights, monitor=heights),
        TaggedBlock(0, 0, clock, clock, 24).hits(),
    ):
        reduce_block(block, 120, 900)
    few = shots.ExampleShots(hits, heights, heights.astype(np.float32))
    of_bench.measure(few, 1)
    row_ways.measure(heights, Path(folder), 1)
    from_a_row(path, 1)
print(*Compiled.names)
"""


def test_nothing_is_compiled_after_the_warm_up() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
