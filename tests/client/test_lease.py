"""Who may renew a login: never two at once, also in a slow store."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_bitbucket.client import Lease
from tests.client.memory_store import MemoryStore

SETTLE = 0.1


class SlowStore(MemoryStore):
    """A store in which a write takes time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def write(self, key: str, text: str) -> None:
        """Keep a text, late."""
        time.sleep(self.seconds)
        super().write(key, text)


def lease(store: MemoryStore, *, seconds: float = 120) -> Lease:
    """What a process has of the lease."""
    return Lease(store, "lease", seconds=seconds, settle_seconds=SETTLE)


def test_one_of_many_gets_it_and_the_next_when_it_is_given_back() -> None:
    store, barrier = MemoryStore(), threading.Barrier(10)
    leases = [lease(store) for _ in range(10)]

    def take(one: Lease) -> bool:
        barrier.wait(timeout=10)
        return one.try_take()

    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(take, leases))
    assert sum(taken) == 1
    holder = leases[taken.index(True)]
    assert holder.has_seconds(60)
    assert not holder.has_seconds(100), "a third of it is for clocks that differ"
    assert not lease(store).try_take()
    holder.release()
    assert not holder.has_seconds(0)
    assert lease(store).try_take()


def test_a_holder_that_died_is_forgotten_when_its_time_is_over() -> None:
    store = MemoryStore()
    assert lease(store, seconds=2).try_take()
    assert not lease(store).try_take()
    time.sleep(2)
    assert lease(store).try_take()


def test_who_writes_too_late_does_not_take_it_and_keeps_others_out(caplog: object) -> None:
    store = SlowStore(SETTLE * 2)
    slow = lease(store)
    assert not slow.try_take()
    assert not slow.has_seconds(0)
    assert not lease(store).try_take(), "somebody may have been overwritten who is at work"


def test_a_store_that_looks_empty_for_a_moment_does_not_give_away_what_is_taken() -> None:
    class Forgetful(MemoryStore):
        forgets = 0

        def read(self, key: str) -> str | None:
            self.forgets -= 1
            return None if self.forgets >= 0 else super().read(key)

    store = Forgetful()
    assert lease(store).try_take()
    store.forgets = 1
    assert not lease(store).try_take()


def test_giving_back_what_somebody_else_has_by_now_takes_nothing_from_them() -> None:
    store = MemoryStore()
    late = lease(store, seconds=1)
    assert late.try_take()
    time.sleep(1)
    assert lease(store).try_take()
    late.release()
    assert not lease(store).try_take()
