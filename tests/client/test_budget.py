"""The 1,000 requests per hour are shared by all clients with the same credentials, and waits for them are logged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import (
    NO_RETRIES,
    AccessToken,
    ApiToken,
    BitbucketClient,
    Clock,
    Lease,
    OAuthClientCredentials,
    OAuthConsumer,
    OAuthLogin,
    StoredLogin,
)
from airflow_provider_bitbucket.client.transport.budget import RateBudget
from benchmarks.shared_budget import run
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.memory_store import MemoryStore
from tests.client.timing import Time


def login_of(user: str, consumer: str) -> OAuthLogin:
    """Return the login of a user through an OAuth consumer."""
    store = MemoryStore()
    return OAuthLogin(OAuthConsumer(consumer, "s"), StoredLogin(store, user), Lease(store, "lease"), user=user, hint="")


def test_a_wait_for_a_used_up_budget_is_logged_with_duration_and_reason(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    budget = RateBudget("bitbucket_default", clock=time.clock)
    for _ in range(1000):
        budget.acquire()
    time.seconds = 3360.0
    assert budget.remaining == 0
    assert budget.acquire() == 240
    assert [record.getMessage() for record in caplog.records] == [
        "Budget for bitbucket_default is used up (1,000 requests in the last hour); waiting 240 s, until 15:28 UTC."
    ]
    assert budget.remaining == 999


def test_a_request_becomes_possible_when_the_oldest_leaves_the_window(time: Time) -> None:
    budget = RateBudget(cap=2, clock=time.clock)
    budget.acquire()
    time.seconds = 1000.0
    budget.acquire()
    assert budget.acquire() == 2600
    assert budget.acquire() == 1000


@given(st.integers(1, 5), st.lists(st.floats(0, 5000, allow_nan=False), max_size=30))
def test_no_hour_has_more_requests_than_the_limit(limit: int, pauses: list[float]) -> None:
    time, sent = Time(), []
    budget = RateBudget(cap=limit, clock=time.clock)
    for pause in pauses:
        time.seconds += pause
        budget.acquire()
        sent.append(time.seconds)
    for first, last in zip(sent, sent[limit:], strict=False):
        assert last - first >= 3599.9


def test_threads_share_the_window(time: Time) -> None:
    budget = RateBudget(cap=100, clock=time.clock)

    def work() -> None:
        for _ in range(10):
            budget.acquire()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.remaining == 0
    assert not time.waits


def test_a_429_of_one_thread_pauses_the_others_and_is_logged_as_such(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    budget = RateBudget("ci", clock=time.clock)
    budget.pause(90)
    assert budget.acquire() == 90
    assert caplog.messages == ["Bitbucket refuses further requests for ci (429); waiting 90 s, until 14:29 UTC."]


def test_the_limit_is_read_from_response_headers(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "5000"})
    assert budget.limit == 5000
    budget.learn({"X-RateLimit-Limit": "60, 60;w=3600"})
    assert budget.limit == 60
    budget.learn({"X-RateLimit-Limit": "many"})
    assert budget.limit == 60


def test_a_cap_set_by_the_user_has_precedence_over_the_reported_limit(time: Time) -> None:
    budget = RateBudget(cap=500, clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "5000"})
    assert budget.limit == 500


def test_a_limit_that_is_lowered_later_is_kept(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    for _ in range(10):
        budget.acquire()
        time.seconds += 10
    budget.learn({"X-RateLimit-Limit": "3"})
    budget.acquire()
    assert time.seconds == 70 + 3600  # when only two of the ten are left in the hour
    assert len(time.waits) == 1  # one wait, whose logged duration was correct


def test_requests_are_spread_over_the_hour_near_the_limit(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    budget = RateBudget("ci", clock=time.clock)
    for _ in range(3):
        budget.acquire()
        budget.learn({"X-RateLimit-NearLimit": "True"})
    assert time.waits == pytest.approx([3.6, 3.6])
    assert caplog.messages == [
        "The budget for ci is nearly used up (1,000 requests an hour), Bitbucket reports; sending one request every 3.6 s "
        "until it recovers."
    ]
    budget.learn({"X-RateLimit-NearLimit": "false"})
    budget.acquire()
    assert len(time.waits) == 2


def test_an_anonymous_client_waits_for_the_reported_reset(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "60, 60;w=3600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "880"})
    assert budget.acquire() == 880


@pytest.mark.parametrize("cap", [0, -1])
def test_a_cap_below_one_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match="expected at least 1 request an hour"):
        RateBudget(cap=cap)


class TestSharing:
    """Requests are counted by the same identity as Bitbucket counts them."""

    def test_clients_with_the_same_credentials_share_one_budget(self, time: Time) -> None:
        one, other = (BitbucketClient(AccessToken("shared"), clock=time.clock) for _ in range(2))
        assert one.budget is other.budget

    @pytest.mark.parametrize(
        ("one", "other", "together"),
        [
            (ApiToken("me@x.org", "first"), ApiToken("Me@x.org", "second"), True),  # counted by user
            (ApiToken("me@x.org", "same"), ApiToken("you@x.org", "same"), False),
            (AccessToken("first"), AccessToken("second"), False),  # each has its own
            (OAuthClientCredentials("key", "old"), OAuthClientCredentials("key", "new"), True),  # counted by consumer
            (OAuthClientCredentials("key", "s"), login_of("anna", "key"), True),  # with whatever grant (facts 2.7)
            (login_of("anna", "key"), login_of("ben", "key"), True),
            (login_of("anna", "key"), login_of("anna", "other"), False),
            (ApiToken("same", "s"), OAuthClientCredentials("same", "s"), False),
        ],
    )
    def test_requests_are_counted_as_bitbucket_counts_them(
        self, time: Time, one: bitbucket.Auth, other: bitbucket.Auth, together: bool
    ) -> None:
        budgets = [BitbucketClient(auth, clock=time.clock).budget for auth in (one, other)]
        assert (budgets[0] is budgets[1]) == together

    def test_each_host_has_a_budget_of_its_own(self, time: Time) -> None:
        real = BitbucketClient(AccessToken("t"), clock=time.clock)
        emulated = BitbucketClient(AccessToken("t"), base_url="http://127.0.0.1:8070/2.0", clock=time.clock)
        assert real.budget is not emulated.budget

    def test_the_lowest_cap_of_all_clients_applies(self, time: Time) -> None:
        limits: list[int | None] = [None, 800, 500, 900, None]
        budgets = [BitbucketClient(AccessToken("t"), rate_limit=limit, clock=time.clock).budget for limit in limits]
        assert budgets[0].limit == 500


def test_a_client_waits_for_its_budget_and_receives_no_429(
    make_client: Callable[..., BitbucketClient],
    bitbucket_emulator: BitbucketEmulator,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bitbucket_emulator.settings(rate_limit=5)
    client = make_client(rate_limit=5)
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            client.users.me()
    assert sum(waits) == pytest.approx(3600, abs=1)
    assert "used up (5 requests in the last hour); waiting 3600 s, until 09:00 UTC." in caplog.text
    assert "429" not in caplog.text


def test_an_access_token_is_paced_by_its_reported_limit(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    bitbucket_emulator.settings(rate_limit=10)
    client = make_client(AccessToken(bitbucket_emulator.access_token))
    for _ in range(12):
        client.repositories.get("api")
    assert client.budget.limit == 10
    assert sum(waits) >= 360


def test_a_client_without_retries_gets_an_error_instead_of_a_long_wait(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(rate_limit=1, retries=NO_RETRIES)
    uuid = client.pipelines.trigger("api", branch="main")["uuid"]
    with pytest.raises(
        bitbucket.BitbucketRateLimitError, match=r"used up \(1 requests .*; the next request is possible in 3600 s"
    ) as caught:
        client.pipelines.get("api", uuid)
    assert caught.value.retry_after == pytest.approx(3600, abs=1)
    assert client.pipelines.stop("api", uuid)  # a task that is killed has only seconds: writes are sent regardless
    assert not waits
    bitbucket_emulator.clock(advance=3599)
    assert client.budget.remaining == 0  # the write was counted


def test_a_client_without_retries_waits_the_short_time_between_two_paced_requests(
    make_client: Callable[..., BitbucketClient], waits: list[float]
) -> None:
    """Otherwise a poll that needs two requests would never receive the second response."""
    client = make_client(retries=NO_RETRIES)
    client.budget.learn({"X-RateLimit-Limit": "1000", "X-RateLimit-NearLimit": "true"})
    for _ in range(3):
        client.users.me()
    assert waits == [pytest.approx(3.6, abs=0.1)] * 2
    client.budget.learn({"X-RateLimit-Limit": "60"})
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="nearly used up; the next request is possible in 60 s"):
        client.users.me()


def test_after_a_429_no_client_with_the_same_credentials_sends_a_request_early(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, clock: Clock
) -> None:
    left: list[int] = []

    def sleep(seconds: float) -> None:
        left.append(client.budget.remaining)
        clock.sleep(seconds)

    client = make_client(clock=Clock(clock.monotonic, sleep, clock.now))
    bitbucket_emulator.fault("rate_limit")
    client.users.me()
    assert set(left) == {0}


class TestSharedWithOtherProcesses:
    """Other processes use the same credentials; this process notices them only by 429."""

    @pytest.fixture
    def budget(self, time: Time) -> RateBudget:
        """A budget of which this process has used 100 requests within 100 s, followed by a first 429."""
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(100):
            budget.acquire()
            budget.granted()
            time.seconds += 1
        budget.acquire()
        budget.refused(None)
        return budget

    def test_the_share_of_a_process_is_what_it_has_used_and_is_available_again_after_an_hour(
        self, budget: RateBudget, time: Time
    ) -> None:
        budget.acquire()
        budget.refused(None)  # the first attempt beyond the share is refused too
        refused = 1
        while budget.acquire() >= 0 and time.seconds < 3600:
            budget.refused(None)
            refused += 1
        assert refused <= 8, "attempts back off"
        assert 3600 <= time.seconds <= 3620, "its oldest request leaves the window"
        for _ in range(50):  # the others leave it one by one
            budget.granted()
            assert budget.acquire() <= 1.001

    def test_a_process_soon_has_the_whole_budget_after_the_others_have_stopped(self, budget: RateBudget, time: Time) -> None:
        began = time.seconds
        for _ in range(2):
            budget.acquire()
            budget.refused(None)
        for _ in range(20):
            budget.acquire()
            budget.granted()
        assert time.seconds - began < 2000
        assert budget.acquire() == 0
        assert budget.remaining == 1000 - 121

    def test_processes_retry_at_different_times(self, time: Time) -> None:
        first = set()
        for _ in range(20):
            other = RateBudget("ci", clock=time.clock)
            other.refused(None)
            first.add(round(other.free_in, 3))
        assert len(first) > 15
        assert min(first) >= 90
        assert max(first) <= 180

    def test_a_process_that_starts_with_a_used_up_budget_obtains_a_share(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(3):
            budget.acquire()
            budget.refused(None)
        assert budget.acquire() > 120
        budget.granted()
        assert 0 < budget.acquire() <= 240

    def test_simultaneous_refusals_count_once(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(10):
            budget.acquire()
        for _ in range(10):
            budget.refused(None)
        assert 90 <= budget.free_in <= 180


class TestShortRetryAfter:
    """Bitbucket sends a ``Retry-After`` of at most a second although the budget of the hour is used up."""

    @pytest.mark.parametrize("seconds", [0.0, 1.0])
    def test_requests_back_off_instead_of_being_sent_every_second(self, time: Time, seconds: float) -> None:
        budget, refused = RateBudget("ci", clock=time.clock), 0
        while budget.acquire() >= 0 and time.seconds < 3600:
            budget.refused(seconds)
            refused += 1
        assert refused <= 12

    def test_requests_back_off_even_if_some_are_granted(self, time: Time) -> None:
        budget, refused, granted = RateBudget("ci", clock=time.clock), 0, 0
        while budget.acquire() >= 0 and time.seconds < 3600:
            if (refused + granted) % 3:
                budget.refused(1)
                refused += 1
            else:
                budget.granted()
                granted += 1
        assert refused <= 60

    def test_a_process_soon_has_the_whole_budget_when_it_is_available_again(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(6):
            budget.acquire()
            budget.refused(1)
        began = time.seconds
        for _ in range(20):
            budget.acquire()
            budget.granted()
        assert time.seconds - began < 3000
        assert budget.acquire() == 0

    def test_simultaneous_refusals_with_retry_after_count_once(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(50):
            budget.acquire()
        for _ in range(50):
            budget.refused(1)
        assert budget.free_in <= 2

    def test_a_credible_short_retry_after_is_followed(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(50):
            for _ in range(8):
                budget.acquire()
                budget.granted()
            budget.acquire()
            budget.refused(1)
        assert time.seconds <= 50 * 2, "the server limits requests per second and reports so"


@pytest.mark.slow
def test_eight_processes_that_need_more_than_the_budget_complete_and_are_rarely_refused() -> None:
    result = run(spread=False)
    assert result["done"] == 8 * (1500 // 8)
    assert result["refused"] < 0.05 * (result["done"] + result["refused"])
