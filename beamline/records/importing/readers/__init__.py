"""Readers, one a kind of file: bytes or text in, tables out. None evaluates or unpickles what it reads."""
