"""Logins of users: codes and refresh tokens are granted, rotated, revoked and expire as on Bitbucket."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"
CALLBACK = "http://127.0.0.1:8910/callback"
DAY = 24 * 3600
INVALID_CODE = {"error": "invalid_grant", "error_description": "The specified code is not valid."}
INVALID_REFRESH = {"error": "invalid_request", "error_description": "Invalid refresh_token"}


def grant(
    bitbucket: BitbucketEmulator, kind: str, consumer: tuple[str, str] | None = None, **fields: str | None
) -> requests.Response:
    url, form = f"{bitbucket.url}/site/oauth2/access_token", {"grant_type": kind, **fields}
    return requests.post(url, data=form, auth=consumer or bitbucket.oauth_consumer, timeout=10)


def refresh(bitbucket: BitbucketEmulator, token: str, **options: Any) -> requests.Response:
    return grant(bitbucket, "refresh_token", refresh_token=token, **options)


def code(bitbucket: BitbucketEmulator, **asked: str) -> str:
    """Consent as the owner and return the code."""
    query = {"client_id": "demo-key", "response_type": "code", **asked}
    url = f"{bitbucket.url}/site/oauth2/authorize"
    answer = requests.post(url, params=query, data={"decision": "grant"}, allow_redirects=False, timeout=10)
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def refusal(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    error: dict[str, str] = answer.json()
    return error


def test_a_code_yields_tokens_of_the_user_who_consented(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    given = bitbucket_emulator.login("robin.reviewer", ["account", "pipeline"])
    assert set(given) == {"access_token", "token_type", "expires_in", "state", "scope", "refresh_token"}
    assert (given["token_type"], given["expires_in"], given["state"]) == ("bearer", 7200, "authorization_code")
    assert given["scope"] == "account pipeline"
    me = call("/user", token=given["access_token"])
    assert (me.json()["nickname"], me.json()["type"]) == ("robin.reviewer", "user")
    assert (me.headers["X-Credential-Type"], me.headers["X-OAuth-Scopes"]) == ("oauth2", "account, pipeline")
    refused = call(API, token=given["access_token"])
    assert refused.json()["error"]["detail"]["granted"] == ["account", "pipeline"]


def test_two_users_can_be_logged_in_at_the_same_time(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    tokens = [bitbucket_emulator.login(name)["access_token"] for name in (None, "alex.author")]
    assert [call("/user", token=token).json()["nickname"] for token in tokens] == ["dana.demo", "alex.author"]
    assert [one["user"] for one in bitbucket_emulator.logins()] == ["dana.demo", "alex.author"]


def test_a_code_is_valid_once(bitbucket_emulator: BitbucketEmulator) -> None:
    first = code(bitbucket_emulator)
    assert grant(bitbucket_emulator, "authorization_code", code=first).status_code == 200
    assert refusal(grant(bitbucket_emulator, "authorization_code", code=first)) == INVALID_CODE
    assert refusal(grant(bitbucket_emulator, "authorization_code", code="made-up")) == INVALID_CODE
    assert refusal(grant(bitbucket_emulator, "authorization_code")) == INVALID_CODE


def test_a_code_expires_after_ten_minutes(bitbucket_emulator: BitbucketEmulator) -> None:
    in_time, late = code(bitbucket_emulator), code(bitbucket_emulator)
    bitbucket_emulator.clock(advance=599)
    assert grant(bitbucket_emulator, "authorization_code", code=in_time).status_code == 200
    bitbucket_emulator.clock(advance=1)
    assert refusal(grant(bitbucket_emulator, "authorization_code", code=late)) == INVALID_CODE


def test_a_code_and_a_refresh_token_are_valid_for_their_consumer_only(bitbucket_emulator: BitbucketEmulator) -> None:
    other = ("other-key", "other-secret")
    bitbucket_emulator.consumer(other[0], secret=other[1], scopes=["account"], callback_url=CALLBACK)
    mine, stolen = code(bitbucket_emulator), bitbucket_emulator.login()["refresh_token"]
    bitbucket_emulator.settings(strict_refresh_reuse=True)
    assert refusal(grant(bitbucket_emulator, "authorization_code", other, code=mine)) == INVALID_CODE
    assert refusal(refresh(bitbucket_emulator, stolen, consumer=other)) == INVALID_REFRESH
    assert grant(bitbucket_emulator, "authorization_code", code=mine).status_code == 200
    assert refresh(bitbucket_emulator, stolen).status_code == 200


@pytest.mark.parametrize(
    ("requested", "sent", "is_valid"),
    [
        (f"{CALLBACK}/a", f"{CALLBACK}/a", True),
        (f"{CALLBACK}/a", f"{CALLBACK}/b", False),
        (f"{CALLBACK}/a", None, False),
        (None, None, True),
        (None, CALLBACK, True),
        (None, f"{CALLBACK}/a", False),
    ],
)
def test_a_code_is_valid_for_its_redirect_uri_only(
    bitbucket_emulator: BitbucketEmulator, requested: str | None, sent: str | None, is_valid: bool
) -> None:
    given = code(bitbucket_emulator, **({"redirect_uri": requested} if requested else {}))
    answer = grant(bitbucket_emulator, "authorization_code", code=given, redirect_uri=sent)
    assert (answer.status_code == 200) is is_valid
    if not is_valid:
        assert refusal(answer) == INVALID_CODE


def test_each_refresh_replaces_the_refresh_token(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    first = bitbucket_emulator.login("robin.reviewer", ["account"])
    second = refresh(bitbucket_emulator, first["refresh_token"]).json()
    assert (second["state"], second["scope"], second["expires_in"]) == ("refresh_token", "account", 7200)
    assert second["refresh_token"] != first["refresh_token"]
    assert refusal(refresh(bitbucket_emulator, first["refresh_token"])) == INVALID_REFRESH
    # Without strict_refresh_reuse the login remains valid, and so do its access tokens until they expire.
    third = refresh(bitbucket_emulator, second["refresh_token"]).json()
    tokens = {one["access_token"] for one in (first, second, third)}
    assert {call("/user", token=token).json()["nickname"] for token in tokens} == {"robin.reviewer"}
    assert len(tokens) == 3
    assert bitbucket_emulator.logins() == [
        {
            "consumer": "demo-key",
            "user": "robin.reviewer",
            "scopes": ["account"],
            "refreshes": 2,
            "revoked": False,
            "revoked_by_reuse": False,
        }
    ]


def test_reuse_of_a_refresh_token_revokes_the_login_in_strict_mode(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(strict_refresh_reuse=True)
    first, other = bitbucket_emulator.login(), bitbucket_emulator.login("alex.author")
    second = refresh(bitbucket_emulator, first["refresh_token"]).json()
    assert refusal(refresh(bitbucket_emulator, first["refresh_token"])) == INVALID_REFRESH
    assert refusal(refresh(bitbucket_emulator, second["refresh_token"])) == INVALID_REFRESH
    for token in (first["access_token"], second["access_token"]):
        assert call("/user", token=token).json()["error"]["message"].startswith("Token is invalid")
    assert [one["revoked_by_reuse"] for one in bitbucket_emulator.logins()] == [True, False]
    assert refresh(bitbucket_emulator, other["refresh_token"]).status_code == 200


def test_a_refresh_token_remains_valid_without_rotation(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(rotate_refresh_tokens=False, strict_refresh_reuse=True)
    token = bitbucket_emulator.login()["refresh_token"]
    assert {refresh(bitbucket_emulator, token).json()["refresh_token"] for _ in range(3)} == {token}


@pytest.mark.parametrize("rotate", [True, False])
def test_a_refresh_token_expires_three_months_after_its_last_use(bitbucket_emulator: BitbucketEmulator, rotate: bool) -> None:
    bitbucket_emulator.settings(rotate_refresh_tokens=rotate)
    token = bitbucket_emulator.login()["refresh_token"]
    for _ in range(3):
        bitbucket_emulator.clock(advance=89 * DAY)
        token = refresh(bitbucket_emulator, token).json()["refresh_token"]
    bitbucket_emulator.clock(advance=90 * DAY)
    assert refusal(refresh(bitbucket_emulator, token)) == INVALID_REFRESH


def test_the_error_of_a_refused_refresh_token_can_be_set(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(refused_refresh_error="invalid_grant")
    assert refusal(refresh(bitbucket_emulator, "made-up"))["error"] == "invalid_grant"


def test_lifetime_and_scope_key_follow_the_settings(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.settings(access_token_seconds=60, oauth_scope_key="scopes")
    given = bitbucket_emulator.login(scopes=["account"])
    assert (given["expires_in"], given["scopes"]) == (60, "account")
    bitbucket_emulator.clock(advance=60)
    assert call("/user", token=given["access_token"]).json()["error"]["message"].startswith("OAuth2 access token expired.")


@pytest.mark.parametrize("consumer", [("demo-key", "wrong"), ("unknown", "demo-secret")])
@pytest.mark.parametrize("kind", ["authorization_code", "refresh_token"])
def test_a_wrong_consumer_secret_is_refused_without_using_up_the_code(
    bitbucket_emulator: BitbucketEmulator, consumer: tuple[str, str], kind: str
) -> None:
    fields = {"code": code(bitbucket_emulator), "refresh_token": bitbucket_emulator.login()["refresh_token"]}
    assert refusal(grant(bitbucket_emulator, kind, consumer, **fields))["error"] == "unauthorized_client"
    assert refresh(bitbucket_emulator, fields["refresh_token"]).status_code == 200


def _refresh_together(bitbucket: BitbucketEmulator, token: str, threads: int) -> list[requests.Response]:
    start = threading.Barrier(threads)

    def one() -> requests.Response:
        start.wait(timeout=10)
        return refresh(bitbucket, token)

    with ThreadPoolExecutor(threads) as pool:
        return [each.result() for each in [pool.submit(one) for _ in range(threads)]]


def test_of_two_simultaneous_refreshes_with_one_token_exactly_one_succeeds(bitbucket_emulator: BitbucketEmulator) -> None:
    token = bitbucket_emulator.login()["refresh_token"]
    for _ in range(20):
        answers = _refresh_together(bitbucket_emulator, token, 2)
        assert sorted(one.status_code for one in answers) == [200, 400]
        token = next(one.json()["refresh_token"] for one in answers if one.status_code == 200)
    assert bitbucket_emulator.grants() == {"authorization_code 200": 1, "refresh_token 200": 20, "refresh_token 400": 20}
    assert [one["refreshes"] for one in bitbucket_emulator.logins()] == [20]


def test_two_simultaneous_refreshes_with_one_token_revoke_the_login_in_strict_mode(
    bitbucket_emulator: BitbucketEmulator, call: Call
) -> None:
    bitbucket_emulator.settings(strict_refresh_reuse=True)
    answers = _refresh_together(bitbucket_emulator, bitbucket_emulator.login()["refresh_token"], 2)
    successful = next(one.json() for one in answers if one.status_code == 200)
    assert refusal(refresh(bitbucket_emulator, successful["refresh_token"])) == INVALID_REFRESH
    assert call("/user", token=successful["access_token"]).status_code == 401
    assert [one["revoked_by_reuse"] for one in bitbucket_emulator.logins()] == [True]


def test_a_refresh_whose_answer_is_lost_uses_up_the_refresh_token(bitbucket_emulator: BitbucketEmulator) -> None:
    token = bitbucket_emulator.login()["refresh_token"]
    bitbucket_emulator.fault("lost_answer", path="access_token")
    with pytest.raises(requests.ConnectionError):
        refresh(bitbucket_emulator, token)
    assert refusal(refresh(bitbucket_emulator, token)) == INVALID_REFRESH
    assert bitbucket_emulator.grants()["refresh_token 200"] == 1


def test_revoking_a_login_revokes_all_its_tokens(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    mine, other = bitbucket_emulator.login("alex.author"), bitbucket_emulator.login()
    assert bitbucket_emulator.revoke_logins("alex.author") == 1
    assert call("/user", token=mine["access_token"]).json()["error"]["message"].startswith("Token is invalid")
    assert refusal(refresh(bitbucket_emulator, mine["refresh_token"])) == INVALID_REFRESH
    assert call("/user", token=other["access_token"]).status_code == 200
    assert bitbucket_emulator.revoke_logins() == 1
    assert [(one["revoked"], one["revoked_by_reuse"]) for one in bitbucket_emulator.logins()] == [(True, False)] * 2


def test_all_access_tokens_of_consumers_can_be_expired_and_renewed(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    logins = [bitbucket_emulator.login(), bitbucket_emulator.login("alex.author")]
    own = grant(bitbucket_emulator, "client_credentials").json()
    assert bitbucket_emulator.expire_access_tokens() == 3
    for given in (*logins, own):
        message = call("/user", token=given["access_token"]).json()["error"]["message"]
        assert message.startswith("OAuth2 access token expired.")
    renewed = refresh(bitbucket_emulator, logins[1]["refresh_token"]).json()
    assert call("/user", token=renewed["access_token"]).json()["nickname"] == "alex.author"
    assert call("/user", token="demo-access-token").status_code == 403  # still valid, but it has no user
    assert bitbucket_emulator.control("POST", "logins/expire", {"consumer": "demo-key"}) == {"expired": 1}


def test_all_users_logged_in_through_a_consumer_share_its_rate_limit(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    one, other = bitbucket_emulator.login()["access_token"], bitbucket_emulator.login("alex.author")["access_token"]
    own = grant(bitbucket_emulator, "client_credentials").json()["access_token"]
    bitbucket_emulator.settings(rate_limit=2)
    assert [call(API, token=token).status_code for token in (one, other, own)] == [200, 200, 429]
    assert call(API).status_code == 200  # requests with an API token are counted by user
    shown = bitbucket_emulator.control("GET", "requests")["by_credential"]
    assert {name: shown[name] for name in ("dana.demo", "alex.author")} == {"dana.demo": 2, "alex.author": 1}


def test_a_token_in_query_or_body_is_refused(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    token = bitbucket_emulator.login()["access_token"]
    assert call("/user", auth=None, params={"access_token": token}).status_code == 401
    assert call("/user", token=token, params={"access_token": token}).status_code == 401
    assert call(f"{API}/src", "POST", auth=None, data={"access_token": token}).status_code == 401
    assert token not in bitbucket_emulator.control("GET", "requests?recent=3")["recent"][0]["query"]


def test_the_error_for_a_refused_login_states_the_reason(bitbucket_emulator: BitbucketEmulator) -> None:
    with pytest.raises(
        ValueError, match=r"was refused: user is 'unknown'; expected one of dana\.demo, robin\.reviewer, alex\.author\.$"
    ):
        bitbucket_emulator.login("unknown")
    with pytest.raises(ValueError, match="does not have these scopes: snippet"):
        bitbucket_emulator.login(scopes=["snippet"])
    assert bitbucket_emulator.logins() == []


def test_logins_survive_a_restart(bitbucket_emulator: BitbucketEmulator) -> None:
    token = bitbucket_emulator.login()["refresh_token"]
    bitbucket_emulator.stop()
    bitbucket_emulator.start()
    assert refresh(bitbucket_emulator, token).status_code == 200


def test_every_user_has_an_api_token(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    tokens = bitbucket_emulator.api_tokens
    assert list(tokens) == ["dana.demo", "robin.reviewer", "alex.author"]
    assert tokens["dana.demo"] == bitbucket_emulator.api_token
    for nickname, token in tokens.items():
        assert call("/user", auth=token).json()["nickname"] == nickname


def test_e_mail_addresses_in_the_demo_are_ascii(bitbucket_demo: BitbucketEmulator) -> None:
    email, token = bitbucket_demo.api_tokens["tomás.herrera"]
    assert email == "tomas.herrera@example.com"
    answer = requests.get(f"{bitbucket_demo.api_url}/user", auth=(email, token), timeout=10)
    assert answer.json()["display_name"] == "Tomás Herrera"


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("PATCH", "consumers/demo-key", {"callback": "x"}, "callback_url"),
        ("PATCH", "consumers/new", {"secret": "x"}, "scopes"),
        ("POST", "logins/expire", {"consumer": "new"}, "demo-key"),
    ],
)
def test_errors_of_the_control_interface_name_the_expected_values(
    bitbucket_emulator: BitbucketEmulator, method: str, path: str, body: dict[str, str], complaint: str
) -> None:
    refused = requests.request(method, f"{bitbucket_emulator.url}/_emulator/{path}", json=body, timeout=10)
    assert 400 <= refused.status_code < 500
    assert complaint in refused.json()["error"]["message"]
