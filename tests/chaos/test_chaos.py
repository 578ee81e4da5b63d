"""Random faults in a simulated shift, a scan after each: no data lost, no spoilt dwell counted, nothing left behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos.faults import SHORT
from tests.chaos.flatness import flatness
from tests.chaos.walk import SAMPLE, random_faults, walk
from tests.helpers.ioc_process import IocPool


@pytest.mark.timeout(900)
def test_fifteen_faults_and_a_scan_after_each(ioc_pool: IocPool, tmp_path: Path) -> None:
    walk(14, SHORT, tmp_path, ioc_pool, catalogue=SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_a_thousand_faults(ioc_pool: IocPool, tmp_path: Path) -> None:
    seed = time.time_ns() % 2**32
    walk(seed, random_faults(seed, 1000), tmp_path, ioc_pool)


@pytest.mark.long
@pytest.mark.timeout(3 * 3600)
def test_a_long_shift_holds_no_more_than_a_short_one(ioc_pool: IocPool, tmp_path: Path) -> None:
    flatness(tmp_path, ioc_pool, runs=300, events=50_000)
