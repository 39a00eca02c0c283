"""1,000 requests an hour are enough when nobody wastes them, and waiting for them is said."""

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
    """A person's login through a consumer."""
    store = MemoryStore()
    return OAuthLogin(OAuthConsumer(consumer, "s"), StoredLogin(store, user), Lease(store, "lease"), user=user, hint="")


def test_a_used_up_budget_says_how_long_it_waits_and_why(time: Time, caplog: pytest.LogCaptureFixture) -> None:
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


def test_the_window_moves_place_by_place(time: Time) -> None:
    budget = RateBudget(cap=2, clock=time.clock)
    budget.acquire()
    time.seconds = 1000.0
    budget.acquire()
    assert budget.acquire() == 2600
    assert budget.acquire() == 1000


@given(st.integers(1, 5), st.lists(st.floats(0, 5000, allow_nan=False), max_size=30))
def test_no_hour_ever_has_more_requests_than_the_limit(limit: int, pauses: list[float]) -> None:
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


def test_a_429_of_one_thread_holds_the_others_back_and_is_not_called_used_up(
    time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    budget = RateBudget("ci", clock=time.clock)
    budget.pause(90)
    assert budget.acquire() == 90
    assert caplog.messages == ["Bitbucket refuses further requests for ci (429); waiting 90 s, until 14:29 UTC."]


def test_what_bitbucket_tells_of_the_limit_is_believed(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "5000"})
    assert budget.limit == 5000
    budget.learn({"X-RateLimit-Limit": "60, 60;w=3600"})
    assert budget.limit == 60
    budget.learn({"X-RateLimit-Limit": "many"})
    assert budget.limit == 60


def test_the_users_own_cap_counts_more(time: Time) -> None:
    budget = RateBudget(cap=500, clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "5000"})
    assert budget.limit == 500


def test_a_limit_that_shrinks_while_requests_are_made_is_kept(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    for _ in range(10):
        budget.acquire()
        time.seconds += 10
    budget.learn({"X-RateLimit-Limit": "3"})
    budget.acquire()
    assert time.seconds == 70 + 3600  # when only two of the ten are left in the hour
    assert len(time.waits) == 1  # and that long it was said to take


def test_near_the_limit_requests_are_spread_over_the_hour(time: Time, caplog: pytest.LogCaptureFixture) -> None:
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


def test_an_anonymous_caller_waits_for_the_reset_it_is_told(time: Time) -> None:
    budget = RateBudget(clock=time.clock)
    budget.learn({"X-RateLimit-Limit": "60, 60;w=3600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "880"})
    assert budget.acquire() == 880


@pytest.mark.parametrize("cap", [0, -1])
def test_a_cap_below_one_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match="expected at least 1 request an hour"):
        RateBudget(cap=cap)


class TestSharing:
    """Whose requests are counted together."""

    def test_clients_with_the_same_credentials_share_one_budget(self, time: Time) -> None:
        one, other = (BitbucketClient(AccessToken("shared"), clock=time.clock) for _ in range(2))
        assert one.budget is other.budget

    @pytest.mark.parametrize(
        ("one", "other", "together"),
        [
            (ApiToken("me@x.org", "first"), ApiToken("Me@x.org", "second"), True),  # counted by user
            (ApiToken("me@x.org", "same"), ApiToken("you@x.org", "same"), False),
            (AccessToken("first"), AccessToken("second"), False),  # each has its own
            (OAuthClientCredentials("key", "old"), OAuthClientCredentials("key", "new"), True),  # counted by consumer,
            (OAuthClientCredentials("key", "s"), login_of("anna", "key"), True),  # whoever authorised it (facts 2.7)
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

    def test_another_host_counts_for_itself(self, time: Time) -> None:
        real = BitbucketClient(AccessToken("t"), clock=time.clock)
        emulated = BitbucketClient(AccessToken("t"), base_url="http://127.0.0.1:8070/2.0", clock=time.clock)
        assert real.budget is not emulated.budget

    def test_the_most_cautious_client_counts(self, time: Time) -> None:
        limits: list[int | None] = [None, 800, 500, 900, None]
        budgets = [BitbucketClient(AccessToken("t"), rate_limit=limit, clock=time.clock).budget for limit in limits]
        assert budgets[0].limit == 500


def test_a_client_waits_for_its_budget_and_never_meets_a_429(
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


def test_an_access_token_is_paced_by_the_limit_it_is_told(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    bitbucket_emulator.settings(rate_limit=10)
    client = make_client(AccessToken(bitbucket_emulator.access_token))
    for _ in range(12):
        client.repositories.get("api")
    assert client.budget.limit == 10
    assert sum(waits) >= 360


def test_who_waits_by_itself_is_told_to_instead_of_being_held(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(rate_limit=1, retries=NO_RETRIES)
    uuid = client.pipelines.trigger("api", branch="main")["uuid"]
    with pytest.raises(
        bitbucket.BitbucketRateLimitError, match=r"used up \(1 requests .*; the next request is possible in 3600 s"
    ) as caught:
        client.pipelines.get("api", uuid)
    assert caught.value.retry_after == pytest.approx(3600, abs=1)
    assert client.pipelines.stop("api", uuid)  # who is killed has seconds: what changes something is sent nevertheless
    assert not waits
    bitbucket_emulator.clock(advance=3599)
    assert client.budget.remaining == 0  # and is counted


def test_who_waits_by_itself_is_held_for_the_moment_that_lies_between_two_requests(
    make_client: Callable[..., BitbucketClient], waits: list[float]
) -> None:
    """Else whoever needs two requests for a look would never see the answer to the second one."""
    client = make_client(retries=NO_RETRIES)
    client.budget.learn({"X-RateLimit-Limit": "1000", "X-RateLimit-NearLimit": "true"})
    for _ in range(3):
        client.users.me()
    assert waits == [pytest.approx(3.6, abs=0.1)] * 2
    client.budget.learn({"X-RateLimit-Limit": "60"})
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="nearly used up; the next request is possible in 60 s"):
        client.users.me()


def test_after_a_429_nobody_with_these_credentials_asks_before_its_time(
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


class TestOthersUseItToo:
    """Other processes with the same credentials, of which this one learns by 429 only."""

    @pytest.fixture
    def budget(self, time: Time) -> RateBudget:
        """What is left of a budget of which this process has used 100 within 100 s, when it was refused for the first time."""
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(100):
            budget.acquire()
            budget.granted()
            time.seconds += 1
        budget.acquire()
        budget.refused(None)
        return budget

    def test_what_it_has_used_is_its_share_and_comes_back_when_the_hour_is_over(self, budget: RateBudget, time: Time) -> None:
        budget.acquire()
        budget.refused(None)  # the first try beyond its share is not granted either
        refused = 1
        while budget.acquire() >= 0 and time.seconds < 3600:
            budget.refused(None)
            refused += 1
        assert refused <= 8, "it asks more and more rarely"
        assert 3600 <= time.seconds <= 3620, "its own oldest request leaves the hour"
        for _ in range(50):  # and one after the other the rest
            budget.granted()
            assert budget.acquire() <= 1.001

    def test_when_the_others_have_stopped_it_soon_has_all(self, budget: RateBudget, time: Time) -> None:
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

    def test_not_all_try_again_at_once(self, time: Time) -> None:
        first = set()
        for _ in range(20):
            other = RateBudget("ci", clock=time.clock)
            other.refused(None)
            first.add(round(other.free_in, 3))
        assert len(first) > 15
        assert min(first) >= 90
        assert max(first) <= 180

    def test_a_process_that_comes_when_nothing_is_left_gets_its_part_in_time(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(3):
            budget.acquire()
            budget.refused(None)
        assert budget.acquire() > 120
        budget.granted()
        assert 0 < budget.acquire() <= 240

    def test_requests_that_are_refused_together_were_refused_once(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(10):
            budget.acquire()
        for _ in range(10):
            budget.refused(None)
        assert 90 <= budget.free_in <= 180


class TestToldToComeBackAtOnce:
    """A ``Retry-After`` of a second or none, though the hour's budget is spent."""

    @pytest.mark.parametrize("told", [0.0, 1.0])
    def test_it_is_not_asked_every_second_for_the_rest_of_the_hour(self, time: Time, told: float) -> None:
        budget, refused = RateBudget("ci", clock=time.clock), 0
        while budget.acquire() >= 0 and time.seconds < 3600:
            budget.refused(told)
            refused += 1
        assert refused <= 12

    def test_nor_when_each_time_a_few_requests_are_granted(self, time: Time) -> None:
        budget, refused, granted = RateBudget("ci", clock=time.clock), 0, 0
        while budget.acquire() >= 0 and time.seconds < 3600:
            if (refused + granted) % 3:
                budget.refused(1)
                refused += 1
            else:
                budget.granted()
                granted += 1
        assert refused <= 60

    def test_when_there_is_room_again_it_soon_has_all(self, time: Time) -> None:
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

    def test_threads_that_are_refused_together_were_told_once(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(50):
            budget.acquire()
        for _ in range(50):
            budget.refused(1)
        assert budget.free_in <= 2

    def test_who_means_it_is_believed(self, time: Time) -> None:
        budget = RateBudget("ci", clock=time.clock)
        for _ in range(50):
            for _ in range(8):
                budget.acquire()
                budget.granted()
            budget.acquire()
            budget.refused(1)
        assert time.seconds <= 50 * 2, "a server that allows so many a second, and says so"


@pytest.mark.slow
def test_eight_processes_that_want_half_as_much_again_as_there_is_lose_no_work_and_are_rarely_refused() -> None:
    result = run(spread=False)
    assert result["done"] == 8 * (1500 // 8)
    assert result["refused"] < 0.05 * (result["done"] + result["refused"])
