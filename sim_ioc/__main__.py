"""`python -m sim_ioc`: the simulated beamline."""

import os
import sys

# caproto reads these when it is imported. Its defaults batch replies for up to 10 ms.
os.environ.setdefault("CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC", "0.0005")
os.environ.setdefault("CAPROTO_SERVER_MAX_LATENCY_SEC", "0.02")  # of monitors under load; by default 1 s
os.environ.setdefault("CAPROTO_SERVER_WRITE_LOCK_TIMEOUT_SEC", "0.00005")
# A simulator serves this machine only, whatever the user's Channel Access settings.
os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = "127.0.0.1"
os.environ.setdefault("EPICS_CAS_BEACON_PORT", os.environ.get("EPICS_CA_REPEATER_PORT", "5065"))

from sim_ioc.main import main

if __name__ == "__main__":
    sys.exit(main())
