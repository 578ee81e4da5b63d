"""The documents of one run, sorted into streams; independent of the catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from event_model import unpack_event_page

from beamline.records.catalogue_writer.stream import ExternalRows, Stream, UnfitDocumentError

HDF5 = "application/x-hdf5"


class RunContent:
    """Documents of one run so far, in any order and with any repetition.

    Attributes
    ----------
    start, stop : dict or None
        The first received.
    streams : dict
        By name.
    overtaken : bool
        Whether a stored event was replaced, so that the run must be rewritten.
    problems : list of str
        Documents that do not fit and stay in the journal only.
    """

    def __init__(self) -> None:
        self.start: dict[str, Any] | None = None
        self.stop: dict[str, Any] | None = None
        self.streams: dict[str, Stream] = {}
        self.overtaken = False
        self.problems: list[str] = []
        self._stream_of: dict[str, Stream] = {}
        self._resources: dict[str, dict[str, Any]] = {}
        self._early: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def take(self, name: str, doc: dict[str, Any]) -> None:
        """Add one document. Never raises: what does not fit is added to `problems`."""
        try:
            if name == "start":
                self.start = self.start or doc
            elif name == "stop":
                self.stop = self.stop or doc
            elif name == "descriptor":
                self._take_descriptor(doc)
            elif name == "event":
                self._take_event(doc)
            elif name == "event_page":
                for event in unpack_event_page(doc):  # type: ignore[arg-type]
                    self._take_event(event)
            elif name == "stream_resource":
                self._take_resource(doc)
            elif name == "stream_datum":
                self._take_datum(doc)
            else:
                self._note(f"{name} documents (external files) are in the journal only")
        except (UnfitDocumentError, KeyError, TypeError, ValueError, AttributeError) as error:
            label = doc.get("seq_num", doc.get("uid", ""))
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            self._note(f"{name} {label} stays in the journal only: {reason}")

    def unplaced(self) -> list[str]:
        """Report events whose descriptor never arrived."""
        return [f"{len(events)} events have no descriptor {uid[:8]}" for uid, events in self._early.items()]

    @property
    def pending(self) -> int:
        """Events not stored yet."""
        return sum(len(stream.pending) for stream in self.streams.values())

    def _take_descriptor(self, doc: dict[str, Any]) -> None:
        if doc["uid"] in self._stream_of:
            return
        stream = self.streams.get(doc["name"])
        if stream is None:
            stream = self.streams[doc["name"]] = Stream.from_descriptor(doc)
        else:
            # The same stream with another configuration: its data keys must not change.
            if set(doc["data_keys"]) != set(stream.metadata["data_keys"]):
                raise UnfitDocumentError("its data keys differ from those with which its stream began")
            stream.updates.append({key: doc.get(key) for key in ("uid", "time", "configuration")})
        self._stream_of[doc["uid"]] = stream
        for event in self._early.pop(doc["uid"], []):
            self.take("event", event)

    def _take_event(self, doc: Mapping[str, Any]) -> None:
        stream = self._stream_of.get(doc["descriptor"])
        if stream is None:
            self._early[doc["descriptor"]].append(dict(doc))
        elif stream.take(doc):
            self.overtaken = True

    def _take_resource(self, doc: dict[str, Any]) -> None:
        if doc["mimetype"] != HDF5:
            raise UnfitDocumentError(f"files of type {doc['mimetype']} cannot be named in the catalogue")
        if {"data_key", "uri", "parameters"} <= set(doc):
            self._resources[doc["uid"]] = doc

    def _take_datum(self, doc: Mapping[str, Any]) -> None:
        stream, resource = self._stream_of[doc["descriptor"]], self._resources[doc["stream_resource"]]
        if "external" not in stream.metadata["data_keys"][resource["data_key"]]:
            raise UnfitDocumentError(f"{resource['data_key']} was not declared as rows of a file")
        rows = stream.files.setdefault(resource["data_key"], ExternalRows(resource))
        if rows.resource is not resource:
            raise UnfitDocumentError(f"{resource['data_key']} has its rows in another file already")
        rows.take(doc)

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
