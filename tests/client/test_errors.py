"""Errors say what Bitbucket said."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient, OAuthClientCredentials
from airflow_provider_bitbucket.client.errors import from_response


def answer(status: int, body: str, kind: str = "application/json") -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers["Content-Type"] = kind
    response.reason = "Bad Gateway"
    response.url = "https://me:secret@api.bitbucket.org/2.0/x?access_token=secret"
    return response


MAY_NOT = ": it does not exist, or these credentials have no access to it; Bitbucket answers both alike."
NO_REPOSITORY = "The requested repository either does not exist or you do not have access."
PIPELINES = {"message": "Bad request", "detail": "Requested selector is not found.", "data": {"key": "a.b"}}
SCOPES = {"message": "Your credentials lack scopes.", "detail": {"required": ["b", "a"], "granted": ["a"]}}
GONE = {"message": "CHANGE-1 - gone", "detail": "Read on.", "data": {"announcement_url": "https://x.org/#1"}}


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (400, {"message": "Invalid pagelen"}, "Invalid pagelen."),
        (400, {"message": "Bad request", "detail": "It has\n\ninvalid properties"}, "It has invalid properties."),
        (400, PIPELINES, "Requested selector is not found."),
        (400, {"message": "key: too long", "fields": {"key": ["too long"]}}, "key: too long."),
        (
            400,
            {"message": "Bad request", "fields": {"type": "extra keys not allowed"}},
            "Bad request. type: extra keys not allowed.",
        ),
        (400, {"message": "parents: none", "fields": {"parents": []}}, "parents: none."),
        (400, {"message": "odd", "detail": ["a"], "fields": ["b"], "data": "c"}, "odd. ['a']."),
        (403, SCOPES, "Your credentials lack scopes.\nMissing: b.\nGranted: a."),
        (403, {"message": "No.", "detail": {"required": []}}, "No."),
        (404, {"message": "Commit not found", "data": {"shas": ["main"]}}, f"Commit not found. main{MAY_NOT}"),
        (404, {"message": NO_REPOSITORY}, NO_REPOSITORY),
        (404, {"message": "Not found", "detail": "No pipeline 9.", "data": {"key": "a.b"}}, "No pipeline 9."),
        (410, GONE, "CHANGE-1 - gone. Read on. See https://x.org/#1."),
        (401, "invalid_client", "invalid_client (invalid_client)."),
    ],
)
def test_bitbuckets_own_sentence_is_found_wherever_its_json_hides_it(status: int, error: Any, said: str) -> None:
    assert from_response(answer(status, json.dumps({"error": error})), "GET").message == said


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (429, "Rate limit for this resource has been exceeded", "text/plain", "Rate limit for this resource has been exceeded."),
        (502, "<html><title>Bad\n gateway &mdash; x</title>session=abc</html>", "text/html", "Bad gateway — x."),
        (502, "<html>session=abc</html>", "text/html", "Bad Gateway."),
        (500, "", "text/html", "Bad Gateway."),
        (500, "{broken", "application/json", "{broken."),
        (500, '{"error": null}', "application/json", '{"error": null}.'),
        (404, "Not Found", "text/plain", f"Not found{MAY_NOT}"),
        (404, "<html><title>Page not found</title></html>", "text/html", f"Not found{MAY_NOT}"),
    ],
)
def test_what_is_no_json_is_told_too_and_never_a_page_of_html(status: int, body: str, kind: str, said: str) -> None:
    error = from_response(answer(status, body, kind), "GET")
    assert error.message == said
    assert "session=abc" not in str(error)


def test_an_error_tells_request_and_key_but_no_secret_of_the_address() -> None:
    response = answer(400, json.dumps({"error": PIPELINES}))
    response.headers["Atl-Traceid"] = "abc"
    assert str(from_response(response, "POST")) == (
        "Requested selector is not found. (400 a.b, POST https://api.bitbucket.org/2.0/x, request id abc)"
    )


def test_an_error_in_other_words_keeps_all_else() -> None:
    error = from_response(answer(429, ""), "GET").with_message("Later.")
    error.retry_after = 5.0  # type: ignore[attr-defined]  # it is a BitbucketRateLimitError
    again = pickle.loads(pickle.dumps(error.with_message("Much later.")))  # noqa: S301 - our own, as between processes
    assert (type(again), again.status, again.retry_after, again.args) == (type(error), 429, 5.0, ("Much later.",))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ENVELOPES = st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "detail", "fields", "data"), JSON_VALUES)).map(
    lambda error: json.dumps({"error": error})
)


@given(st.sampled_from([400, 403, 404, 500]), ENVELOPES | JSON_VALUES.map(json.dumps) | st.text())
def test_no_error_body_breaks_the_client(status: int, body: str) -> None:
    assert from_response(answer(status, body), "GET").message.endswith(".")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, bitbucket.BitbucketAuthError),
        (403, bitbucket.BitbucketPermissionError),
        (404, bitbucket.BitbucketNotFoundError),
        (409, bitbucket.BitbucketConflictError),
        (410, bitbucket.BitbucketGoneError),
        (418, bitbucket.BitbucketError),
        (555, bitbucket.BitbucketServerError),
    ],
)
def test_every_status_has_its_kind_of_error(status: int, kind: type[Any]) -> None:
    assert type(from_response(answer(status, "{}"), "GET")) is kind


def test_a_removed_part_of_the_api_is_told_from_a_missing_one(client: BitbucketClient) -> None:
    with pytest.raises(bitbucket.BitbucketGoneError, match="CHANGE-2770"):
        client.get("/workspaces")


def test_a_wrong_token_is_an_auth_error(make_client: Callable[..., BitbucketClient]) -> None:
    with pytest.raises(bitbucket.BitbucketAuthError, match=r"Invalid credentials.*app passwords no longer work"):
        make_client(ApiToken("demo@example.com", "wrong")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="it needs the account e-mail beside it"):
        make_client(AccessToken("demo-api-token")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="marked as private"):
        make_client(OAuthClientCredentials("demo-key", "wrong")).users.me()
