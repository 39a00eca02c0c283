"""Rate limits are off by default and apply to a rolling hour of the emulated clock."""

from __future__ import annotations

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"


def test_requests_are_not_limited_by_default(call: Call) -> None:
    assert {call(API).status_code for _ in range(20)} == {200}


def test_a_429_is_a_short_text_without_retry_after(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(rate_limit=2)
    assert [call(API).status_code for _ in range(3)] == [200, 200, 429]
    refused = call(API)
    assert refused.text == "Rate limit for this resource has been exceeded"
    assert len(refused.content) == 46
    assert refused.headers["Content-Type"] == "text/plain"
    assert refused.headers["Cache-Control"] == "no-cache, no-store"
    assert "Retry-After" not in refused.headers


def test_the_hour_advances_with_the_clock(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(rate_limit=2)
    call(API)
    bitbucket_emulator.clock(advance=1800)
    call(API)
    assert call(API).status_code == 429
    bitbucket_emulator.clock(advance=1800)
    assert [call(API).status_code for _ in range(2)] == [200, 429]


def test_retry_after_can_be_seconds_or_a_date(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(rate_limit=1, retry_after="seconds")
    call(API)
    assert call(API).headers["Retry-After"] == "3601"
    bitbucket_emulator.settings(retry_after="date")
    refused = call(API).headers
    assert (refused["Date"], refused["Retry-After"]) == ("Mon, 02 Nov 2026 08:00:00 GMT", "Mon, 02 Nov 2026 09:00:01 GMT")


def test_each_account_and_each_access_token_has_its_own_limit(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.credentials("api_token", "second", login="second@x.org", user="dana.demo")
    bitbucket_emulator.settings(rate_limit=1)
    assert call(API).status_code == 200
    # Another token of the same account shares its budget; access tokens do not, not even with one another.
    assert call(API, auth=("second@x.org", "second")).status_code == 429
    assert call(API, token="demo-access-token").status_code == 200
    assert call(API, token="demo-repository-token").status_code == 200
    assert call(API, token="demo-access-token").status_code == 429


def test_near_limit_is_reported_before_the_limit_is_reached(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(rate_limit=5)
    near = [call(API, token="demo-access-token").headers["X-RateLimit-NearLimit"] for _ in range(5)]
    assert near == ["false", "false", "false", "false", "true"]


def test_anonymous_clients_have_sixty_requests_an_hour(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(rate_limit=1000)
    assert {call(API, auth=None).status_code for _ in range(60)} == {401}
    refused = call(API, auth=None)
    assert (refused.status_code, refused.headers["X-Ratelimit-Remaining"]) == (429, "0")
