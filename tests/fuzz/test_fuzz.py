"""No mutated response ends in an error that a user cannot understand, a hang, a row without its key, or a leak.

In the suite a fixed set of about a minute; ``make fuzz`` draws new ones, as many as ``FUZZ_EXAMPLES`` for each subject.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.client import BitbucketError
from airflow_provider_bitbucket.client.transport import budget as budgets
from tests.fuzz import subjects
from tests.fuzz.mutations import KINDS, Mutation
from tests.fuzz.server import EvilHost, MutatingServer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
#: A subject with sound responses takes milliseconds.
HANGS_AFTER_SECONDS = 30.0
#: Requests that an example may need more than one with sound responses: retries and pages that are read again.
MORE_REQUESTS = 300

MUTATIONS = st.builds(
    Mutation,
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 2**32),
    request=st.integers(0, 12),
    persistent=st.booleans(),
)


@pytest.fixture(scope="module")
def evil() -> Iterator[EvilHost]:
    """The host that must not receive a credential or a body."""
    with EvilHost() as host:
        yield host


@pytest.fixture(scope="module")
def served(evil: EvilHost) -> Iterator[tuple[MutatingServer, subjects.World]]:
    """The server between client and emulator, and what is in the emulator."""
    with subjects.emulator() as bitbucket:
        known = subjects.fill(bitbucket)
        with MutatingServer(bitbucket.url, evil) as server:
            yield server, subjects.World(server.url, **known)


def _run(subject: subjects.Subject, world: subjects.World) -> BaseException | None:
    """Run a subject in a thread of its own; return what it raised.

    :raises AssertionError: it hangs
    """
    raised: list[BaseException] = []

    def target() -> None:
        try:
            subject.run(world)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(HANGS_AFTER_SECONDS)
    if thread.is_alive():
        stack = "".join(traceback.format_stack(sys._current_frames()[thread.ident or 0]))
        raise AssertionError(f"{subject.name} hangs:\n{stack}")
    return raised[0] if raised else None


@pytest.mark.parametrize("subject", subjects.SUBJECTS, ids=lambda subject: subject.name)
def test_no_response_ends_in_an_unclear_error_a_hang_a_row_without_key_or_a_leak(
    subject: subjects.Subject,
    served: tuple[MutatingServer, subjects.World],
    evil: EvilHost,
    record_property: Callable[[str, object], None],
) -> None:
    server, world = served
    server.begin()
    if (error := _run(subject, replace(world, sound=True))) is not None:
        raise error
    sound_requests = server.requests
    before = server.mutated

    @settings(
        max_examples=EXAMPLES or 60,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(mutation=MUTATIONS)
    def examples(mutation: Mutation) -> None:
        budgets._budgets.clear()
        server.begin(mutation)
        error = _run(subject, world)
        if error is not None and not isinstance(error, BitbucketError):
            raise error
        assert server.requests <= sound_requests + MORE_REQUESTS
        assert not evil.leaks

    examples()
    record_property("mutated_responses", server.mutated - before)
