"""Checks that a simulated session cannot reach other machines by Channel Access."""

from __future__ import annotations

import ipaddress
import os
import sys

from beamline.session.simulators import default_environment


def off_loopback() -> str:
    """Reason why a simulated session could reach records on other machines; empty if it cannot."""
    if os.environ.get("EPICS_CA_AUTO_ADDR_LIST", "YES").upper() != "NO":
        return "a simulated session needs EPICS_CA_AUTO_ADDR_LIST=NO, so that it cannot reach real records"
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
    """Restrict Channel Access to the loopback, unless addresses are set or the client library is loaded already."""
    if "epics" in sys.modules or any(os.environ.get(f"EPICS_CA_{key}") for key in ("ADDR_LIST", "AUTO_ADDR_LIST")):
        return
    for key, value in default_environment().items():
        os.environ.setdefault(key, value)
