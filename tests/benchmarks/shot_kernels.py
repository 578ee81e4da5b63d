"""The shot kernels one by one in pytest-benchmark, which keeps histories: ``pytest tests/benchmarks/shot_kernels.py``.

Ratios to the read bandwidth and to other programs, all in one interleaved run, are what ``trxas bench`` prints.
"""

from __future__ import annotations

import sys

import pytest

from beamline.studies.bench import kernels
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, ExampleShots, one_second
from reduction.shots.block import Block
from reduction.shots.stretch import reduce_block

MAKERS = {
    kernels.COUNT: kernels.hit_counter,
    kernels.SUMS: kernels.height_sums,
    kernels.ALL: kernels.everything,
    kernels.FLOATS: kernels.float_sums,
}


@pytest.fixture(scope="module")
def second() -> ExampleShots:
    """One second of shots, on which the kernels have been compared with numpy."""
    shots = one_second()
    kernels.check(shots)
    return shots


@pytest.mark.parametrize("name", MAKERS)
def test_kernel(benchmark, second, name):
    work = MAKERS[name](second)
    work()
    benchmark(work)


@pytest.mark.parametrize("form", ["hits", "heights"])
def test_block(benchmark, second, form):
    block = Block(0, 0, getattr(second, form))
    benchmark(reduce_block, block, NUM_PHASES, THRESHOLD)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-n", "0"]))
