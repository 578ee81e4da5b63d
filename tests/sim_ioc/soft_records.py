"""One record of each kind that the simulator copies, served by EPICS base: ``python soft_records.py PREFIX``.

Says ``ready`` and ends when its standard input ends.
"""

from __future__ import annotations

import sys

import numpy as np
from softioc import asyncio_dispatcher, builder, softioc


def main() -> None:
    """Serve until standard input ends."""
    builder.SetDeviceName(sys.argv[1])
    builder.aIn("ai", initial_value=0.0)
    builder.aOut("ao", initial_value=0.0, DRVL=-1, DRVH=1)
    builder.boolIn("bi", ZNAM="no", ONAM="yes", initial_value=0)
    builder.boolOut("bo", ZNAM="no", ONAM="yes", initial_value=0)
    builder.longIn("longin", initial_value=0)
    builder.longOut("longout", initial_value=0, DRVL=-1, DRVH=1)
    builder.mbbIn("mbbi", "one", "two", "three", initial_value=0)
    builder.mbbOut("mbbo", "one", "two", "three", initial_value=0)
    builder.stringOut("stringout", initial_value="")
    builder.WaveformIn("waveform", initial_value=np.zeros(4, np.int32), length=4)
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    print("ready", flush=True)
    sys.stdin.read()
    softioc.safeEpicsExit(0)


if __name__ == "__main__":
    main()
