"""The reverse proxy of the page for the computing group, as nginx, with its certificate."""

from __future__ import annotations

import inspect
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from beamline.app.commands.web import web_command
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.config_files import write_config
from tests.beamline.example_runs import raw_run, reduced_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_page import Sandbox, service
from tests.beamline.facility_server import PAGE, READER, WRITER, Serve
from tests.devices.builds import until
from tests.helpers.certificates import certificate
from tests.helpers.ports import free_port
from tests.helpers.secrets import in_command_lines

Proxy = Callable[[str, str], str]
BODIES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Starts nginx with a file of the page, in front of an address in place of the page's; its own address."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    processes: list[subprocess.Popen[bytes]] = []
    pem = str(certificate(tmp_path / "pem", "127.0.0.1"))
    monkeypatch.setenv("SSL_CERT_FILE", pem)

    def start(file: str, behind: str) -> str:
        port = free_port()
        site = PAGE.files[file].replace("listen 443", f"listen 127.0.0.1:{port}")
        for name in ("server.pem", "server.key"):
            site = site.replace(f"/etc/trxas/tls/{name}", pem)
        page = site.partition("proxy_pass ")[2].partition(";")[0]
        places = " ".join(f"{name}_temp_path {tmp_path};" for name in BODIES)
        around = f"user root; daemon off; pid {tmp_path}/pid; events {{}} http {{ access_log off; {places}"
        (tmp_path / "nginx.conf").write_text(f"{around}\n{site.replace(page, behind)}}}")
        command = [program, "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
        processes.append(subprocess.Popen(command))
        address = f"https://127.0.0.1:{port}"
        until(lambda: answers(address), "nginx answers", 20.0)
        return address

    yield start
    for process in processes:
        process.terminate()
        process.wait(20)


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        return httpx.get(address).status_code < 600
    except httpx.TransportError:
        return False


@pytest.mark.long
def test_a_catalogue_behind_the_proxy_takes_and_gives_large_runs(
    announce: Announce, tmp_path: Path, serve: Serve, proxy: Proxy, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    address = proxy("/etc/nginx/conf.d/tiled.conf", server.uri)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    runs = raw_run(3, seed=1), reduced_run(2, energies=200, seed=2)  # covariances of 1.6 MB: more than nginx takes
    for run in runs:
        announce(run)
    assert write_catalogue(tmp_path, address)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(READER))
    client = opened(address)
    assert_holds(client, *runs)
    links = httpx.get(f"{address}/api/v1/").json()["links"]
    assert all(link.startswith(address) for link in links.values())


@pytest.mark.long
def test_the_page_of_a_beamline_behind_the_proxy_asks_for_tokens(
    announce: Announce, tmp_path: Path, proxy: Proxy, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox = Sandbox(tmp_path / "machine", {})
    announce(raw_run(1))
    config = write_config(tmp_path).read_text().replace(str(tmp_path / "data"), str(tmp_path))
    sandbox.place("/etc/trxas/7idd.toml").write_text(config)
    port, tokens = str(free_port()), sandbox.place("/var/lib/trxas-web/tokens")
    with service(sandbox, "trxas-web", "--port", port):
        until(tokens.is_file, "the tokens are made", 60.0)
        address = proxy("/etc/nginx/conf.d/7idd.conf", f"http://127.0.0.1:{port}")
        until(lambda: httpx.get(address).status_code == 200, "the page answers", 60.0)
        reading, writing = tokens.read_text().split()
        assert tokens.stat().st_mode & 0o777 == 0o600
        note = {"text": "the jet is new", "who": "Anna"}
        for token, seen, written in ((None, 401, 403), (reading, 200, 403), (writing, 200, 201)):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            assert httpx.get(f"{address}/state", headers=headers).status_code == seen
            reply = httpx.post(f"{address}/notes", json=note, headers={**headers, "Origin": address})
            assert reply.status_code == written
        for token in (reading, writing):
            assert not in_command_lines(token)
    assert reading not in "".join(capfd.readouterr())


def test_the_proxy_leads_to_the_ports_of_the_page() -> None:
    assert "proxy_pass http://127.0.0.1:8000;" in PAGE.files["/etc/nginx/conf.d/tiled.conf"]
    assert "port: 8000" in PAGE.files["/etc/trxas/tiled.yml"]
    port = inspect.signature(web_command).parameters["port"].default
    assert f"proxy_pass http://127.0.0.1:{port};" in PAGE.files["/etc/nginx/conf.d/7idd.conf"]
