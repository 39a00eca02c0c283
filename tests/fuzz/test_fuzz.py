"""No mutated response causes an error other than a BitbucketError, a hang, a row without its key, or a leak.

The suite uses a fixed set of mutations for about a minute; ``make fuzz`` draws ``FUZZ_EXAMPLES`` new ones for each subject.
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
#: A subject takes milliseconds with unchanged responses.
HANGS_AFTER_SECONDS = 30.0
#: Additional requests that mutated responses may cause: retries and pages that are read again.
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
    """The server between client and emulator, and the contents of the emulator."""
    with subjects.emulator() as bitbucket:
        known = subjects.fill(bitbucket)
        with MutatingServer(bitbucket.url, evil) as server:
            yield server, subjects.World(server.url, **known)


def _run(subject: subjects.Subject, world: subjects.World) -> BaseException | None:
    """Run a subject in a separate thread and return the error that it raised, None if it raised none.

    :raises AssertionError: it has not ended after HANGS_AFTER_SECONDS
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
def test_no_mutated_response_causes_an_unclear_error_a_hang_a_row_without_key_or_a_leak(
    subject: subjects.Subject,
    served: tuple[MutatingServer, subjects.World],
    evil: EvilHost,
    record_property: Callable[[str, object], None],
) -> None:
    server, world = served
    server.begin()
    if (error := _run(subject, replace(world, unchanged=True))) is not None:
        raise error
    expected_requests = server.requests
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
        assert server.requests <= expected_requests + MORE_REQUESTS
        assert not evil.leaks

    examples()
    record_property("mutated_responses", server.mutated - before)
