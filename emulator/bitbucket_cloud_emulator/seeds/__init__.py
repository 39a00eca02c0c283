"""Initial states of an emulator. A seed is a module with ``plant(state, **sizes)``."""

from __future__ import annotations

from importlib import import_module

from bitbucket_cloud_emulator.core.store import State

SEEDS = ("empty", "demo", "demo-without-nulls", "large")


def plant(state: State, name: str, **sizes: int) -> None:
    """Fill an empty state.

    :param state: is filled; ids and history are drawn from its random numbers, and the history ends at the time of its clock
    :param name: one of :data:`SEEDS`
    :param sizes: how large, such as ``pull_requests=5000``, for the seeds that take it
    :raises ValueError: there is no such seed, or it does not take this size
    """
    if name not in SEEDS:
        raise ValueError(f"seed is {name!r}; expected one of {', '.join(SEEDS)}")
    if sizes and name != "large":
        raise ValueError(f"seed {name!r} has one size; {', '.join(sizes)} is for 'large'")
    import_module(f"bitbucket_cloud_emulator.seeds.{name.replace('-', '_')}").plant(state, **sizes)
