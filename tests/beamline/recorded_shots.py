"""A short scan whose shots were recorded, and its documents."""

from __future__ import annotations


def of(documents, name):
    return [doc for kind, doc in documents if kind == name]


def primary(documents):
    stream = next(doc["uid"] for doc in of(documents, "descriptor") if doc["name"] == "primary")
    return [doc for doc in of(documents, "event") if doc["descriptor"] == stream]
