"""EPICS records over Channel Access: channels, motor, busy, texts."""
