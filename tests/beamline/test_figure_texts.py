"""Texts of the live figure: headlines, messages, title."""

from __future__ import annotations

from pathlib import Path

from beamline.outputs.live_figure.texts import headline, messages, title
from tests.beamline.figures import (
    BEGAN,
    Live,
    drawn,
    followed,
)
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of


def test_headlines_of_a_good_and_of_a_bad_scan(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    live = Live(tmp_path)
    assert headline(live.scan, 0.0).text == "WAITING FOR A SCAN"
    bad = documents[2 + 9][1]["data"]
    bad["quality"] = "beam lost"
    output = []
    with Acquisition(tmp_path) as session:
        for upto in (11, 12, 14):
            session.take(documents[len(output) and (11, 12)[len(output) - 1] : upto])
            output.append(headline(live.look(), documents[upto - 1][1]["time"]).text)
        assert output == ["RUNNING", "BAD DWELL: beam lost", "RUNNING"]
        assert "1 bad dwells this pass: beam lost" in messages(live.scan)
        assert headline(live.scan, documents[13][1]["time"] + 11.0).text == "NO DWELL FOR 11 s"
        session.take(documents[14:20], reduce=False)
        assert "DEGRADED: 6 dwells not reduced" in headline(live.look(), documents[19][1]["time"]).text


def test_headlines_of_a_scan_that_has_ended(tmp_path: Path) -> None:
    one, two = scan_set_of(2, planned=2)
    live = Live(tmp_path)
    acquire(tmp_path, [one])
    assert headline(live.look(), BEGAN + 1e4).text == "PASS FINISHED"
    stop = {**two[-1][1], "exit_status": "abort", "reason": "somebody needed the beam"}
    acquire(tmp_path, [[*two[:20], ("stop", stop)]])
    assert headline(live.look(), BEGAN + 1e4).text == "ENDED EARLY (abort)"
    assert "somebody needed the beam" in messages(live.scan)
    acquire(tmp_path, scan_set_of(1, seed=1, scan_id=3))
    assert headline(live.look(), BEGAN + 1e6).text == "FINISHED"


def test_a_pass_without_a_spectrum_reports_why(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    for name, doc in documents:
        if name == "event":
            doc["data"]["quality"] = "beam lost"
    acquire(tmp_path, [documents])
    scan = followed(tmp_path)
    assert "no point has good dwells" in " ".join(messages(scan).replace("\n", " ").split()) and not scan.complete
    drawn(scan)


def test_metadata_cannot_write_elsewhere_or_in_another_script(tmp_path: Path) -> None:
    acquire(tmp_path, scan_set_of(1, sample="x\x1b[2J$\\frac{\n$\x07"))
    scan = followed(tmp_path)
    assert "\x1b" not in title(scan) and "\n" not in title(scan)
    drawn(scan)  # a formula that is none would raise here
