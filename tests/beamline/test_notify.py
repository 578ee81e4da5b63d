"""Messages sent: to a local mail server and a local web hook, retried, without secrets; the session from outside."""

from __future__ import annotations

import base64
import email
import json
import os
import socket
import subprocess
import sys
from email.message import Message as Mail
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.config.models import load
from beamline.config.notify import NotifyEntry
from beamline.outputs.notify.notifier import Notifier, serve, session_state
from beamline.outputs.notify.send import SendError, redacted, send
from beamline.session.lock import LOCK_FILE
from tests.beamline.config_files import simulated_text
from tests.beamline.mail_server import mail_server, web_hook
from tests.beamline.raw_scans import Acquisition, scan_set_of

NOW = 1.7e9 + 100.0


def secret_file(folder: Path, url: str) -> Path:
    path = folder / "url"
    path.write_text(url + "\n")
    path.chmod(0o600)
    return path


def entry(**values: Any) -> NotifyEntry:
    return NotifyEntry.model_validate({"name": "all", "figure": False, **values})


class Clock:
    """A clock of the test's own."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def hold(root: Path, pid: int) -> None:
    (root / LOCK_FILE).write_text(json.dumps({"user": "x", "host": socket.gethostname(), "pid": pid, "since": "now"}))


@pytest.mark.long
def test_a_mail_has_the_figure_of_the_scan(tmp_path: Path) -> None:
    (run,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(run)
    with mail_server() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure&smtp=127.0.0.1"
        file = secret_file(tmp_path, url)
        notifier = Notifier(tmp_path, "SIM 7-ID", [entry(url_file=file, figure=True)], clock=Clock())
        notifier.step()
        assert notifier.empty
    found: Mail = email.message_from_string(mails[0])
    parts = list(found.walk())
    assert "SIM 7-ID: energy_scan ended" in str(found["Subject"]) and len(mails) == 1
    assert any("48 dwells" in str(part.get_payload(decode=True)) for part in parts)
    assert any(bytes(part.get_payload(decode=True) or b"").startswith(b"\x89PNG") for part in parts)


def test_a_mail_has_title_text_and_attachment(tmp_path: Path) -> None:
    picture = tmp_path / "figure.png"
    picture.write_bytes(b"\x89PNG of a figure")
    with mail_server() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure&smtp=127.0.0.1"
        send(url, "SIM 7-ID: laser lost", "scan 3, run 6f31b4c1", picture)
    found: Mail = email.message_from_string(mails[0])
    bodies = [bytes(part.get_payload(decode=True) or b"") for part in found.walk()]
    assert str(found["Subject"]) == "SIM 7-ID: laser lost" and picture.read_bytes() in bodies
    assert any(b"scan 3, run 6f31b4c1" in body for body in bodies) and len(mails) == 1


def test_a_hook_that_fails_is_tried_again_and_messages_keep_their_order(tmp_path: Path) -> None:
    run, _ = scan_set_of(2)
    clock = Clock()
    with web_hook() as (port, posts, statuses), Acquisition(tmp_path) as session:
        file = secret_file(tmp_path, f"json://user:s3cretword@127.0.0.1:{port}/t0kenpath")
        notifier = Notifier(tmp_path, "7-ID", [entry(url_file=file, waiting_minutes=2)], clock=clock)
        session.take(run[:6])
        hold(tmp_path, os.getpid())
        notifier.step()
        statuses += [500, 503]
        clock.now += 120.0
        notifier.step()  # waiting: refused
        session.take([("stop", {**run[-1][1], "exit_status": "abort", "reason": "x"})])
        for _ in range(4):
            notifier.step()
        assert posts == [] and not notifier.empty
        clock.now += 6.0
        notifier.step()  # refused again
        clock.now += 11.0
        notifier.step()
        assert [post["title"] for post in posts] == ["7-ID: waiting for 2 min", "7-ID: run abort"]
        clock.now += 600.0
        notifier.step()
        assert len(posts) == 2 and notifier.empty


def test_what_happened_before_is_not_told_again(tmp_path: Path) -> None:
    first, second = scan_set_of(2, seed=0)
    clock = Clock()
    clock.now += 1000.0
    with web_hook() as (port, posts, _), Acquisition(tmp_path) as session:
        session.take([*first, *second])
        Notifier(
            tmp_path, "7-ID", [entry(url_file=secret_file(tmp_path, f"json://127.0.0.1:{port}"))], clock=clock
        ).step()
    assert posts == []


def test_a_killed_session_is_lost_and_the_process_ends_when_that_is_sent(tmp_path: Path) -> None:
    assert session_state(tmp_path) == "none"
    session = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with web_hook() as (port, posts, _):
        notifier = Notifier(tmp_path, "7-ID", [entry(url_file=secret_file(tmp_path, f"json://127.0.0.1:{port}"))])
        hold(tmp_path, session.pid)
        assert notifier.step() == "held"
        session.kill()  # not waited for yet: a zombie is dead, too
        while session_state(tmp_path) == "held":
            os.sched_yield()
        assert serve(notifier, tmp_path, stay=False, interval=0.01)
        session.wait()
        assert [post["title"] for post in posts] == ["7-ID: session lost"]
        assert session_state(tmp_path) == "gone"
    (tmp_path / LOCK_FILE).write_text('{"user": "x", "host": "elsewhere", "pid": 1, "since": "now"}')
    assert session_state(tmp_path) == "held"


def test_one_process_serves_a_data_root(tmp_path: Path) -> None:
    inner: list[bool] = []

    class Busy(Notifier):
        def step(self) -> Any:
            inner.append(serve(Notifier(tmp_path, "x", []), tmp_path, stay=False))
            return "none"

    assert serve(Busy(tmp_path, "x", []), tmp_path, stay=False) and inner == [False]


def configured(folder: Path, notify: str) -> Path:
    path = folder / "beamline.toml"
    path.write_text(f"{simulated_text()}\n{notify}")
    return path


def call(folder: Path, notify: str) -> Result:
    config = configured(folder, notify)
    return CliRunner().invoke(cli.app, ["notify", "--test", "--config", str(config), "--data", str(folder / "data")])


def test_the_test_command_names_what_works_and_never_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_hook() as (port, posts, statuses):
        url = f"json://user:s3cretword@127.0.0.1:{port}/t0kenpath"
        monkeypatch.setenv("TRXAS_HOOK", url)
        file = secret_file(tmp_path, url)
        statuses += [200, 403]
        both = f'[[notify]]\nname="good"\nurl_variable="TRXAS_HOOK"\n[[notify]]\nname="bad"\nurl_file="{file}"\n'
        done = call(tmp_path, both)
        assert done.exit_code == 1 and "good: sent" in done.output and "bad: NOT sent" in done.output
        assert posts[0]["title"].startswith("SIM ") and "s3cretword" not in done.output + str(done.exception)
        assert "t0kenpath" not in done.output and "403" in done.output
    dumped = load(configured(tmp_path, both)).model_dump_json()
    assert "s3cretword" not in dumped
    file.chmod(0o644)
    assert "chmod 600" in call(tmp_path, f'[[notify]]\nname="x"\nurl_file="{file}"\n').output
    monkeypatch.delenv("TRXAS_HOOK")
    assert "TRXAS_HOOK is not set" in call(tmp_path, '[[notify]]\nname="x"\nurl_variable="TRXAS_HOOK"\n').output
    assert "has no [[notify]]" in call(tmp_path, "").output


def test_a_url_of_no_service_is_refused_without_it() -> None:
    with pytest.raises(SendError, match="no service that Apprise knows") as caught:
        send("nonsense://s3cretword", "title", "text")
    assert "s3cretword" not in str(caught.value)


def test_parts_of_a_url_are_replaced_also_where_they_are_quoted() -> None:
    url = "mailto://me:p%40ssword@mail.example.org?to=you@example.org"
    text = f"login of me with p@ssword at mail.example.org failed ({url})"
    assert redacted(text, url) == "login of me with *** at *** failed (mailto://***)"


def test_a_missing_apprise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SendError, match="extra 'notify'"):
        send("json://localhost", "title", "text")


def test_a_web_hook_gets_the_figure_as_it_is(tmp_path: Path) -> None:
    picture = tmp_path / "figure.png"
    picture.write_bytes(b"\x89PNG of a figure")
    with web_hook() as (port, posts, _):
        send(f"json://127.0.0.1:{port}", "title", "text", picture)
    (attached,) = posts[0]["attachments"]
    assert base64.b64decode(attached["base64"]) == picture.read_bytes()
