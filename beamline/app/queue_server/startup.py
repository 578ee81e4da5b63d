"""Start-up of the queue server's worker: the same three lines as everywhere. Importing it starts a session."""

import os

import beamline

session = beamline.start(beamline.load(os.environ["TRXAS_CONFIGURATION"]))
session.publish(globals())
