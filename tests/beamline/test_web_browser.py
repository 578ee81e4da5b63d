"""The page in a real browser: Chromium of the system, without a window."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from beamline.outputs.web.access import Access
from beamline.records.logbook import append, new_note, read_logbook
from beamline.session.lock import LOCK_FILE
from plans.commissioning.crystal import find_crystal
from tests.beamline.figures import wait_for
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of
from tests.beamline.test_finding_page import made
from tests.beamline.web_pages import served
from tests.plans.intervals import cold

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: .ci/system-packages installs it"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SIZES = {"phone": (390, 844), "desk": (1440, 900), "hall": (3840, 2160)}
PLOTS = ("spectra", "counting", "map", "drift", "finding")
HOSTILE = "<img src=x onerror=document.title='owned'> <b>bold</b> #jet"
FIRST = 30
"""Documents of start, descriptor and seven whole points."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield running
        running.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a finished scan of two passes and a finding, whose sample and note are hostile."""
    there = tmp_path_factory.mktemp("shown")
    acquire(there, scan_set_of(2, sample=HOSTILE))
    documents, _ = made(find_crystal, cold(5))
    documents[0][1].update(scan_id=3, sample=HOSTILE)
    with Acquisition(there) as session:
        session.take(documents, reduce=False)
    append(there, new_note(HOSTILE, who=HOSTILE[:100]))
    return there


@contextmanager
def opened(browser: Any, url: str, size: tuple[int, int] = SIZES["desk"], scheme: str = "light") -> Iterator[Any]:
    """A page that has drawn its runs; it must not have logged, failed, or asked another host."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request", lambda request: faults.extend([] if request.url.startswith(url.partition("#")[0]) else [request.url])
    )
    page.goto(url)
    try:
        yield page
    finally:
        context.close()
    assert faults == []


def until(page: Any, condition: str) -> None:
    """Wait until a condition holds; asked from outside, since the policy of the page allows no evaluation inside."""
    wait_for(lambda: bool(page.evaluate(condition)))


def drawn(page: Any, *plots: str) -> None:
    """Wait until these plots are drawn."""
    for plot in plots or PLOTS:
        page.wait_for_selector(f"#{plot} .main-svg", state="attached", timeout=60_000)


@pytest.mark.parametrize("size", ["phone", *(pytest.param(size, marks=pytest.mark.long) for size in ("desk", "hall"))])
def test_it_is_readable_at_each_width_in_light_and_dark(browser: Any, root: Path, size: str) -> None:
    """Everything is drawn, nothing is wider than the screen, and axe finds nothing serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with served(root) as url:
        for scheme in ("light", "dark"):
            with opened(browser, f"{url}/", SIZES[size], scheme) as page:
                drawn(page)
                assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
                assert page.locator("#sim").is_visible() and page.title().startswith("SIM ")
                assert page.locator("#runs tbody tr").count() == 3
                assert all(page.locator(f"#{plot} .main-svg").first.bounding_box()["height"] > 100 for plot in PLOTS)
                found = json.loads(json.dumps(axe.run(page).response))["violations"]
                grave = [each for each in found if each["impact"] in ("serious", "critical")]
                assert [(each["id"], each["nodes"][0]["html"]) for each in grave] == []


def test_hostile_texts_are_text(browser: Any, root: Path) -> None:
    with served(root) as url, opened(browser, f"{url}/") as page:
        drawn(page)
        page.wait_for_selector("#notes li time")
        assert HOSTILE in page.locator("#notes").inner_text() and HOSTILE in page.locator("#runs").inner_text()
        assert page.locator("main img, header img, main b b, #runs b").count() == 0
        assert page.title().startswith("SIM ")


def test_a_scan_grows_on_the_page_and_a_zoom_stays(browser: Any, tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    with served(tmp_path) as url, opened(browser, f"{url}/") as page, Acquisition(tmp_path) as session:
        until(page, "document.body.dataset.version")
        session.take(documents[:FIRST])
        drawn(page, "spectra")
        points = "document.getElementById('spectra').data[0].x.length"
        until(page, f"{points} === {(FIRST - 2) // 4}")
        page.evaluate("Plotly.relayout('spectra', {'xaxis.range': [13.46, 13.48]})")
        session.take(documents[FIRST : FIRST + 8])
        until(page, f"{points} === {(FIRST + 6) // 4}")
        assert page.evaluate("document.getElementById('spectra').layout.xaxis.range") == [13.46, 13.48]
        session.take(documents[FIRST + 8 :])
        until(page, "document.getElementById('state').textContent === 'FINISHED'")


def test_a_note_is_written_with_the_writing_link_and_the_token_leaves_the_address(browser: Any, root: Path) -> None:
    tokens = Access({"read": "r" * 43, "write": "w" * 43})
    with served(root, tokens) as url:
        with opened(browser, f"{url}/#{'r' * 43}") as page:
            drawn(page, "spectra")
            assert page.locator("#note-form").is_hidden()
        with opened(browser, f"{url}/#{'w' * 43}") as page:
            page.wait_for_selector("#note-form", state="visible")
            assert page.url == f"{url}/"
            page.fill("#note-who", "Ada")
            page.fill("#note-text", "seen on the phone #phone")
            page.click("#note-form button")
            until(page, "document.getElementById('notes').textContent.includes('seen on the phone')")
            page.reload()  # the tab still knows its token
            page.wait_for_selector("#note-form", state="visible")
    assert [note.who for note in read_logbook(root).notes if "phone" in note.tags] == ["Ada"]


def test_the_filter_shows_the_runs_with_all_its_words(browser: Any, root: Path) -> None:
    with served(root) as url, opened(browser, f"{url}/") as page:
        page.wait_for_selector("#runs tbody tr")
        for words, number in (("br_k 2/2", 1), ("br_k", 2), ("nothing like that", 0), ("", 3)):
            page.fill("#runs-filter", words)
            assert page.locator("#runs tbody tr").count() == number, words


def test_a_killed_session_is_named_until_another_begins(browser: Any, tmp_path: Path) -> None:
    passes = scan_set_of(2)
    process = subprocess.Popen(["sleep", "1000"])
    lock = tmp_path / LOCK_FILE
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": process.pid}))
    with served(tmp_path) as url, opened(browser, f"{url}/") as page:
        with Acquisition(tmp_path) as session:
            session.take(passes[0][:FIRST])
            drawn(page, "spectra")
            assert page.locator("#alert").is_hidden()
            process.kill()
            process.wait()
        page.wait_for_selector("#alert:has-text('SESSION LOST')")
        assert "the laser shutter may be open" in page.locator("#alert").inner_text()
        lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        with Acquisition(tmp_path) as session:
            session.take(passes[1])
        page.wait_for_selector("#alert", state="hidden")
        until(page, "document.getElementById('state').textContent === 'FINISHED'")


@pytest.mark.long
def test_while_the_server_is_away_the_page_says_so_and_goes_on_with_the_next(
    browser: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with served(root) as url:
        page.goto(f"{url}/")
        drawn(page, "spectra")
        version = page.evaluate("document.body.dataset.version")
    monkeypatch.setattr("tests.beamline.web_pages.PORT", int(url.rpartition(":")[2]))
    page.wait_for_selector("#alert:has-text('NO CONNECTION')", timeout=60_000)
    assert page.locator("#spectra .main-svg").count() > 0  # what was there is still there
    with served(root):
        page.wait_for_selector("#alert", state="hidden", timeout=60_000)
        until(page, f"!document.body.dataset.version.startsWith({version.partition('-')[0]!r})")
    context.close()


def test_twenty_that_stand_still_and_one_that_reads_nothing_cost_the_others_nothing(root: Path) -> None:
    """Connections that are opened and never used, or never read, hold up no one."""
    with served(root) as url:
        port = int(url.rpartition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for each in idle[10:]:
            each.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        wait_for(lambda: "runs" in httpx.get(f"{url}/state").json()["parts"])
        version = httpx.get(f"{url}/state").json()["version"]
        assert httpx.get(f"{url}/state?since={version}").status_code in (200, 304)
        for each in idle:
            each.close()
