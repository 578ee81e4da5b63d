"""Long strings over Channel Access: character waveforms, as areaDetector uses for paths and messages."""

from __future__ import annotations

from typing import Any

from caproto import ChannelChar

from sim_ioc.records.channels import PutRefusedError, RecordMixin
from sim_ioc.records.fields import text_field

LONGEST = 255


class TextChannel(RecordMixin, ChannelChar):
    """Text of up to 255 bytes."""

    def accept(self, value: Any) -> str:
        """The text up to the first NUL."""
        raw = value if isinstance(value, (str, bytes)) else bytes(bytearray(int(each) & 0xFF for each in value))
        text = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else raw
        text = text.split("\0")[0]
        if len(text.encode()) > LONGEST:
            raise PutRefusedError(f"{self.pv_name}: {len(text.encode())} bytes are more than {LONGEST}")
        return text


def text_waveform(value: str, meaning: str, writable: bool) -> TextChannel:
    """A waveform of characters."""
    record = TextChannel(value=value, max_length=LONGEST + 1, string_encoding="utf-8", reported_record_type="waveform")
    record.writable, record.meaning = writable, meaning
    record.fields = {"RTYP": text_field("waveform"), "DESC": text_field(meaning[:39])}
    return record
