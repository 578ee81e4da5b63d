"""Grids whose rates are closed forms, for tests of the allocation of time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reduction.allocation.expected import ExpectedGrid
from reduction.settings import Settings

EDGE = 13.470
ENERGY = np.concatenate([[13.450, 13.455], np.arange(13.464, 13.4785, 0.0005), [13.485, 13.50, 13.53, 13.57]])
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.464, 13.570))
COMPARISON = ((13.471, 13.472), (13.468, 13.469))
NS = 1e3
DELAYS = np.concatenate([[-900.0, -700], np.arange(-200, 361, 40.0), np.geomspace(500, 1e5, 8)])
FLUENCES = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.5, 7.0, 8.8, 10.5, 12.4])
NONE = np.zeros((2, 5))


def held(time, lifetimes=(120.0, 900.0), tail=155 * NS):
    return 0.6 * np.exp(-time / lifetimes[0]) + 0.21 * np.exp(-time / lifetimes[1]) + 0.19 * np.exp(-time / tail)


def absorption(energy):
    x = 1e3 * (energy - EDGE)
    return 0.5 + 0.5 + np.arctan(x / 1.1) / np.pi + 0.9 / (1 + ((x - 2.0) / 1.4) ** 2)


def shape(energy, shift=0.0):
    x = 1e3 * (energy - EDGE - shift)
    return 0.55 * np.exp(-(((x + 1.6) / 1.2) ** 2)) - np.exp(-(((x - 2.0) / 1.3) ** 2))


def grid_of(axis, position, off, on, settings=SETTINGS, slot_delays=None, noise=0.01, model=None, **labels):
    photons = np.stack([np.broadcast_to(off, on.shape), on])
    return ExpectedGrid(
        axis, position, photons, NONE, NONE, gates=6.5173e6 / 120, phases=np.full(5, 24.0), dwell=1.5, noise=noise,
        settings=settings, slot_delays=slot_delays, labels=labels, model=model or {},
    )  # fmt: skip


def energy_grid(delay=100.0, size=0.05, shift=0.0, reference="combined", noise=0.01, mu=0.1, energy=ENERGY):
    slots = delay + 153.438 * NS * np.arange(5)
    off = mu * absorption(energy)
    on = off + mu * size * np.outer(held(slots) / held(100.0), shape(energy, shift))
    settings = replace(SETTINGS, reference=reference)
    model = {"comparison": COMPARISON}
    return grid_of("mono_energy", energy, off, on, settings, slots, noise, model, edge="Br_K", delay=delay)


def delay_grid(lifetimes=(120.0, 900.0), size=0.05, mu=0.2):
    slots = 153.438 * NS * np.arange(5)
    late = np.add.outer(slots, DELAYS)
    level = np.where(late > 0, held(np.maximum(late, 0.0), lifetimes), 0.0)
    settings = replace(SETTINGS, before_zero=-500.0)
    model = {"lifetimes": (*lifetimes, np.inf)}
    return grid_of(
        "laser_delay", DELAYS, np.full(DELAYS.size, mu), mu * (1 - size * level), settings, slots, model=model
    )


def fluence_grid(knee=10.0, size=0.05, mu=0.2):
    rise = FLUENCES / (1 + (FLUENCES / knee) ** 4) ** 0.25 / 8.8
    on = mu * (1 - size * np.outer([1, 0.19, 0.07, 0.03, 0.01], rise))
    return grid_of("laser_fluence", FLUENCES, np.full(FLUENCES.size, mu), on, model={"saturation": knee})
