"""The Channel Access addresses of this process, held against what a simulated session may reach."""

from __future__ import annotations

import ipaddress
import os
import sys

from beamline.session.simulators import default_environment


def off_loopback() -> str:
    """Why a simulated session could reach records that are not on this machine; empty if it could not."""
    if os.environ.get("EPICS_CA_AUTO_ADDR_LIST", "YES").upper() != "NO":
        return "a simulated session needs EPICS_CA_AUTO_ADDR_LIST=NO, so that it reaches no real record"
    for entry in os.environ.get("EPICS_CA_ADDR_LIST", "").split() + os.environ.get("EPICS_CA_NAME_SERVERS", "").split():
        host = entry.rsplit(":", 1)[0] if entry.count(":") == 1 else entry
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            return (
                f"a simulated session refuses the Channel Access address {entry}: it is not on this machine;"
                " set EPICS_CA_ADDR_LIST=127.0.0.1"
            )
    return ""


def keep_to_this_machine() -> None:
    """Have Channel Access look on the loopback, where no address is given and the client library is not loaded yet."""
    if "epics" in sys.modules or any(os.environ.get(f"EPICS_CA_{key}") for key in ("ADDR_LIST", "AUTO_ADDR_LIST")):
        return
    for key, value in default_environment().items():
        os.environ.setdefault(key, value)
