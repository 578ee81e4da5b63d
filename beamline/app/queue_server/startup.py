"""Start-up of the queue server's worker: the same three lines as everywhere. Importing it starts a session."""

import os

import beamline
from beamline.session.orderly_end import OrderlyEnd

session = beamline.start(beamline.load(os.environ["TRXAS_CONFIGURATION"]))
OrderlyEnd(close=session.close).__enter__()  # until the process ends
session.publish(globals())
