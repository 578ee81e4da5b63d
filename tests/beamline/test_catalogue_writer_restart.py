"""A catalogue writer that starts again, or finds another catalogue or leftovers, stores everything once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from beamline.records.catalogue_writer.loop import CatalogueWriter
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import interleaved, raw_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds


@pytest.mark.long
def test_a_restart_does_not_touch_what_is_there(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [raw_run(2, seed=seed) for seed in range(3)]
    announce(list(interleaved(*runs[:2])))
    assert write_catalogue(tmp_path, catalogue)
    from beamline.records.catalogue_writer.run import RunWriter

    stepped: set[str] = set()
    step = RunWriter.step
    monkeypatch.setattr(RunWriter, "step", lambda self: (stepped.add(self.uid), step(self))[1])
    announce(runs[2])
    assert write_catalogue(tmp_path, catalogue)
    assert stepped == {uid_of_run(runs[2])}
    assert_holds(opened(catalogue), *runs)


@pytest.mark.long
def test_without_its_position_it_stores_nothing_twice(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    runs = [raw_run(3, seed=seed) for seed in range(2)]
    announce(list(interleaved(*runs)))
    for content in (None, "", "{", '{"complete": {}}'):
        position = tmp_path / "journal" / "filler" / "position-filler.json"
        if position.exists():
            position.unlink() if content is None else position.write_text(content)
        assert write_catalogue(tmp_path, catalogue)
    assert_holds(opened(catalogue), *runs)


@pytest.mark.long
def test_another_or_an_emptied_catalogue_is_filled_from_the_beginning(
    announce: Announce, tmp_path: Path, catalogue: Path, empty_catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    assert write_catalogue(tmp_path, catalogue)
    for suffix in ("", "-wal", "-shm"):
        (catalogue / f"catalogue.db{suffix}").unlink(missing_ok=True)
    (catalogue / "catalogue.db").write_bytes((empty_catalogue / "catalogue.db").read_bytes())
    assert write_catalogue(tmp_path, catalogue)
    assert_holds(opened(catalogue), documents)


@pytest.mark.long
def test_a_run_left_half_stored_is_stored_again(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(5)
    uid = uid_of_run(documents)
    announce(documents[:-3])
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    writer.until_idle(lambda: False)
    writer.close()
    client = opened(catalogue)
    node = client[uid].base["primary"].base
    node["fpga_counts"].patch(np.ones((2, 120), dtype=np.int64), offset=(3,), extend=True)  # a batch cut off
    rows = pa.Table.from_pandas(node["internal"].read(), preserve_index=False)
    node["internal"].append_partition(0, rows)  # and one stored twice
    (catalogue / "arrays" / uid / "primary" / "left_over").mkdir(parents=True)
    announce(documents[-3:])
    assert write_catalogue(tmp_path, catalogue)
    assert_holds(client, documents)


@pytest.mark.long
def test_a_folder_that_a_killed_catalogue_left_is_no_obstacle(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    folder = catalogue / "arrays" / uid_of_run(documents) / "primary" / "fpga_counts"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert write_catalogue(tmp_path, catalogue)
    assert_holds(opened(catalogue), documents)
