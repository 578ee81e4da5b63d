"""What a beamline remembers between sessions: scan numbers, t0, and who measures what."""

from beamline.kept.about import About, NotAllowedError, ask_about
from beamline.kept.numbers import ScanNumbers
from beamline.kept.signals import keep_signals, recall_signals
from beamline.kept.state import STATE_FILE, StateFile, read_state

__all__ = [
    "STATE_FILE",
    "About",
    "NotAllowedError",
    "ScanNumbers",
    "StateFile",
    "ask_about",
    "keep_signals",
    "read_state",
    "recall_signals",
]
