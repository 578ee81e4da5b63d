"""The lines of the page on notebooks, in a real kernel of Jupyter on the simulated beamline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.beamline.config_files import simulated_text
from tests.docs.typing_in import steps

PATIENCE = 100.0


@pytest.mark.long
def test_the_page_on_notebooks_works_in_a_kernel(simulated_beamline: Any, tmp_path: Path) -> None:
    from jupyter_client.manager import KernelManager

    off = {"clock_rate = 1.0": "clock_rate = 200.0", 'live_figure = "auto"': 'live_figure = "off"'}
    (tmp_path / "mybeamline.toml").write_text(simulated_text(**off))
    kernel = KernelManager()
    kernel.start_kernel(cwd=str(tmp_path))
    client = kernel.blocking_client()
    messages: list[str] = []

    def take(message: dict[str, Any]) -> None:
        content = message["content"]
        assert message["msg_type"] != "error", content
        messages.append(content.get("text", "") + content.get("data", {}).get("text/plain", ""))
        messages.extend(content.get("data", {}))

    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        for step in steps("how-to/run-from-a-notebook.md"):
            client.execute_interactive(step.text, timeout=PATIENCE, output_hook=take, allow_stdin=False)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel()
    text = "\n".join(messages)
    for phrase in ("laser_fluence", "13.472", "photons/pulse", "pass 1 of 1", "of scan set", ": success", "image/png"):
        assert phrase in text, phrase
