"""At most one process at a time may renew a login, even with a slow store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_bitbucket.client import Clock, Lease
from tests.client.memory_store import MemoryStore
from tests.client.timing import Time

SETTLE = 0.1


class SlowStore(MemoryStore):
    """A store in which a write takes time."""

    def __init__(self, time: Time, seconds: float) -> None:
        super().__init__()
        self._time = time
        self._seconds = seconds

    def write(self, key: str, text: str) -> None:
        """Store a text after a delay."""
        self._time.sleep(self._seconds)
        super().write(key, text)


class ConcurrentStore(MemoryStore):
    """A store in which several processes read at the same time, while ``barrier`` is set."""

    barrier: threading.Barrier | None = None

    def read(self, key: str) -> str | None:
        """Return the text of a key after every process has read it."""
        text = super().read(key)
        if self.barrier:
            self.barrier.wait(timeout=10)
        return text


class EmptyOnceStore(MemoryStore):
    """A store that appears to be empty at the next read, while ``empty_reads`` is 1."""

    empty_reads = 0

    def read(self, key: str) -> str | None:
        """Return the text of a key, None for an empty read."""
        self.empty_reads -= 1
        return None if self.empty_reads >= 0 else super().read(key)


@pytest.fixture
def lease(time: Time) -> Callable[..., Lease]:
    """Make the lease object of one process: ``lease(store)``."""

    def make(store: MemoryStore, *, seconds: float = 120) -> Lease:
        return Lease(store, "lease", seconds=seconds, settle_seconds=SETTLE, clock=time.clock)

    return make


def test_one_of_ten_simultaneous_processes_takes_the_lease(time: Time) -> None:
    store, barrier = ConcurrentStore(), threading.Barrier(10)
    # All ten find the lease free, then all write, then all wait, then all confirm.
    clock = Clock(time.clock.monotonic, lambda seconds: barrier.wait(timeout=10) and None, time.clock.now)
    leases = [Lease(store, "lease", settle_seconds=SETTLE, clock=clock) for _ in range(10)]
    leases[0].open()
    store.barrier = barrier

    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(Lease.try_take, leases))

    assert sum(taken) == 1


def test_a_lease_is_exclusive_until_it_is_released(lease: Callable[..., Lease]) -> None:
    store = MemoryStore()
    holder = lease(store)
    assert holder.try_take()
    assert holder.has_seconds(60)
    assert not holder.has_seconds(100), "a third of it is a margin for clocks that differ"
    assert not lease(store).try_take()

    holder.release()

    assert not holder.has_seconds(0)
    assert lease(store).try_take()


def test_the_lease_of_a_process_that_died_can_be_taken_after_it_has_expired(lease: Callable[..., Lease], time: Time) -> None:
    store = MemoryStore()
    assert lease(store, seconds=120).try_take()
    assert not lease(store).try_take()
    time.seconds += 120
    assert lease(store).try_take()


def test_a_process_whose_write_was_too_slow_does_not_take_the_lease_and_blocks_others(
    lease: Callable[..., Lease], time: Time
) -> None:
    store = SlowStore(time, SETTLE * 2)
    slow = lease(store)
    assert not slow.try_take()
    assert not slow.has_seconds(0)
    assert not lease(store).try_take(), "the late write may have overwritten the id of a holder"


def test_a_lease_is_not_taken_after_one_read_that_finds_the_store_empty(lease: Callable[..., Lease]) -> None:
    store = EmptyOnceStore()
    assert lease(store).try_take()
    store.empty_reads = 1
    assert not lease(store).try_take()


def test_releasing_an_expired_lease_does_not_release_that_of_another_process(lease: Callable[..., Lease], time: Time) -> None:
    store = MemoryStore()
    expired = lease(store, seconds=60)
    assert expired.try_take()
    time.seconds += 60
    assert lease(store).try_take()
    expired.release()
    assert not lease(store).try_take()
