"""What was bad is flagged: no dwell counts that a fault has spoilt, by its times, and by its numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from beamline.records.journal import read, run_file
from reduction.documents.raw import PRIMARY
from tests.chaos.fault import Fault
from tests.chaos.session_process import DWELL
from tests.chaos.shift import CLOCK_RATE, Shift
from tests.chaos.violation import ViolationError

SLOTS = 5
LARGEST_PULL = 7.0
STEADY = {"rate": 5e-3, "contrast": 5e-4}
"""Relative scatter beside counting: 10 meV of the monochromator on an edge, noise of I0; the contrast has neither."""

Event = dict[str, Any]


def dwells(shift: Shift, uids: Iterable[str]) -> Iterator[Event]:
    """The events of raw runs, one for each dwell, from the journal."""
    for uid in uids:
        documents = list(read(run_file(shift.root, uid)))
        if "analysis_of" in documents[0][1]:
            continue
        primary = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == PRIMARY}
        yield from (doc for name, doc in documents if name == "event" and doc["descriptor"] in primary)


def nothing_spoilt_counts(shift: Shift, fault: Fault, disturbed: Iterable[Event]) -> None:
    """No dwell counts during which a fault lasted.

    Times are those of the simulator, whose clock is that of this process: the results of a dwell are posted at its end.
    Those posted during the fault count under it; those posted later, if they have begun before its end.
    """
    if shift.spoilt is None or fault.spoils == "none":
        return
    began, ended = shift.spoilt
    lines, counting = [], []
    for event in disturbed:
        data, posted = event["data"], event["timestamps"]["fpga_counts"]
        begun = posted - data["fpga_elapsed"] / CLOCK_RATE
        lines.append(f"{event['seq_num']}: {begun - began:.4f} to {posted - began:.4f} s, {data['quality']}")
        last = max(posted, event["timestamps"]["i0"])
        concerned = {"all": begun < ended, "laser on": data["laser_on"] and begun < ended, "ending": last < ended}
        if concerned[fault.spoils] and data["quality"] == "good" and began < posted:
            counting.append(event["seq_num"])
    if counting:
        raise ViolationError(
            f"events {counting} count during a fault that lasted {ended - began:.4f} s; all dwells, with their times"
            " after its begin:\n" + "\n".join(lines)
        )


def numbers_agree(disturbed: Iterable[Event], undisturbed: Iterable[Event]) -> None:
    """Each good dwell agrees with those of the next scan at the same point and laser state, within its errors.

    Compared are the photons per pulse over I0, and the contrast of the slot after the pump with the others.
    """
    reference: dict[tuple[int, int], list[dict[str, tuple[float, float]]]] = defaultdict(list)
    for event in undisturbed:
        reference[_place(event)].append(_numbers(event["data"]))
    for event in disturbed:
        data = event["data"]
        if data["quality"] != "good":
            continue
        if abs(data["fpga_elapsed"] / DWELL - 1) > 0.01:
            raise ViolationError(f"event {event['seq_num']} counts, and took {data['fpga_elapsed']} s")
        for name, (value, variance) in _numbers(data).items():
            others = [each[name] for each in reference[_place(event)] if name in each]
            if not others:
                continue
            expected = float(np.mean([each[0] for each in others]))
            variance += sum(each[1] for each in others) / len(others) ** 2
            pull = (value - expected) / np.sqrt(variance + (STEADY[name] * expected) ** 2)
            if abs(pull) > LARGEST_PULL:
                raise ViolationError(
                    f"event {event['seq_num']} at {data['mono_energy']:.4f} keV, laser {data['laser_on']}, counts, and"
                    f" its {name} of {value:.5g} is {pull:.1f} standard deviations off {expected:.5g}"
                )


def _place(event: Event) -> tuple[int, int]:
    return int(event["data"]["point_index"]), int(event["data"]["laser_on"])


def _numbers(data: Event) -> dict[str, tuple[float, float]]:
    """Rate and contrast of a dwell, each with its variance; none if a phase has a hit in every gate."""
    hits, gates = np.asarray(data["fpga_counts"], float), np.asarray(data["fpga_gates"], float)
    if (hits >= gates).any():
        return {}
    slots = (np.arange(hits.size) - int(data["laser_phase"])) % SLOTS
    photons, number = -np.log1p(-hits / gates), hits.size / SLOTS
    variances = hits / gates / (gates - hits)
    mean = np.array([photons[slots == slot].mean() for slot in range(SLOTS)])
    variance = np.array([variances[slots == slot].sum() / number**2 for slot in range(SLOTS)])
    flux, others = data["i0"] / data["i0_time"], mean[1:].mean()
    contrast = mean[0] / others
    relative = variance[0] / mean[0] ** 2 + variance[1:].sum() / (SLOTS - 1) ** 2 / others**2
    return {
        "rate": (mean.mean() / flux, variance.sum() / SLOTS**2 / flux**2),
        "contrast": (contrast, contrast**2 * relative),
    }
