"""Who may see the page, and who may write notes."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.config.secrets import SecretError
from beamline.outputs.web.access import Access, access_for, links
from beamline.outputs.web.app import FILES
from beamline.records.logbook import read_logbook
from tests.beamline.web_pages import served

TOKENS = Access({"read": "r" * 43, "write": "w" * 43})
JSON = {"Content-Type": "application/json"}


def test_on_this_machine_no_token_is_needed_and_elsewhere_two_are_made_each_time() -> None:
    assert access_for("127.0.0.1", None).tokens == {}
    one, other = (access_for("0.0.0.0", None).tokens for _ in range(2))
    assert len({*one.values(), *other.values()}) == 4 and min(map(len, one.values())) >= 43


def test_a_file_keeps_the_tokens_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    made = access_for("127.0.0.1", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access_for("0.0.0.0", path).tokens == made.tokens
    path.chmod(0o640)
    with pytest.raises(SecretError, match=f"chmod 600 {path}"):
        access_for("127.0.0.1", path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(SecretError, match="remove it") as error:
        access_for("127.0.0.1", path)
    assert "short" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "role"),
    [("Bearer " + "r" * 43, "read"), ("Bearer " + "w" * 43, "write"), ("Bearer " + "r" * 42, "none"), ("", "none"),
     ("Basic " + "w" * 43, "none"), ("w" * 43, "none"), ("Bearer ", "none"), ("Bearer \u00e9\ud800"[:8], "none")],
)  # fmt: skip
def test_a_token_gives_its_role(header: str, role: str) -> None:
    assert TOKENS.role(header) == role


def test_a_link_has_its_token_where_browsers_do_not_send_it() -> None:
    for link in links("::1", 80, TOKENS).values():
        assert link.startswith("http://[::1]:80/#") and httpx.URL(link).raw_path == b"/"


def test_without_a_token_there_is_the_empty_page_and_no_state(tmp_path: Path) -> None:
    with served(tmp_path, TOKENS) as url:
        assert httpx.get(url).status_code == 200
        for token, status in (("y", 401), ("x" * 43, 401), ("r" * 43, 200), ("w" * 43, 200)):
            headers = {"Authorization": f"Bearer {token}"}
            assert httpx.get(f"{url}/state", headers=headers).status_code == status
        assert httpx.get(f"{url}/state?token={'w' * 43}").status_code == 401


def test_notes_need_the_writing_link_and_come_from_the_page_itself(tmp_path: Path) -> None:
    write, read = ({"Authorization": f"Bearer {TOKENS.tokens[role]}"} for role in ("write", "read"))
    note = {"text": "jet unstable #jet", "who": "Ada"}
    with served(tmp_path, TOKENS) as url:

        def status(headers: dict[str, str]) -> int:
            return httpx.post(f"{url}/notes", json=note, headers=headers).status_code

        assert status(read) == status({}) == 403
        assert (
            status({**write, "Origin": "http://evil.example"}) == status({**write, "Content-Type": "text/plain"}) == 403
        )
        assert read_logbook(tmp_path).notes == []
        assert status({**write, "Origin": url}) == 201
    (kept,) = read_logbook(tmp_path).notes
    assert (kept.text, kept.who, kept.tags) == ("jet unstable #jet", "Ada", ("jet",))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'{"text": ""}', b"\xff", b"[" * 30_000, b'{"text": "' + b"x" * 70_000 + b'"}']
)
def test_a_note_that_is_none_is_refused_with_the_reason(tmp_path: Path, body: bytes) -> None:
    with served(tmp_path) as url:
        answer = httpx.post(f"{url}/notes", content=body, headers=JSON)
        assert answer.status_code == 400 and answer.json()["error"]
        assert httpx.get(f"{url}/state").status_code == 200
    assert read_logbook(tmp_path).notes == []


def test_another_sites_name_for_this_machine_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        for host, status in (
            ("evil.example", 421),
            ("localhost", 200),
            ("LOCALHOST:80", 200),
            ("[::1]:80", 200),
            ("", 421),
        ):
            assert httpx.get(f"{url}/state", headers={"Host": host}).status_code == status, host


def test_every_answer_has_the_strict_policy_and_no_cookie(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        for path in ("/", "/state", "/plotly.js", "/none", "/..%2f..%2fetc%2fpasswd", *(f"/{name}" for name in FILES)):
            headers = httpx.get(url + path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
            assert "set-cookie" not in headers and headers["x-content-type-options"] == "nosniff"
        assert httpx.get(f"{url}/..%2fapp.py").status_code == 404
        for method in ("PUT", "DELETE", "POST"):
            assert httpx.request(method, f"{url}/state").status_code == 405


def test_a_used_port_is_one_sentence(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        port = url.rpartition(":")[2]
        result = CliRunner().invoke(app, ["web", "--port", port, "--data", str(tmp_path)])
    assert "choose another with --port" in str(result.exception)


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    """No address of another host, no inline script or style, and no way to make HTML of a text."""
    from beamline.outputs.web.app import STATIC

    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for forbidden in (
            "http:",
            "https:",
            "//cdn",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "style=",
            "onclick",
        ):
            assert forbidden not in text, (path.name, forbidden)
