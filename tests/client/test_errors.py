"""Errors contain Bitbucket's own message and explain what to do."""

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
from airflow_provider_bitbucket.client.transport.errors import from_response

JSON = "application/json"


def response_with(status: int, body: str, kind: str = "application/json") -> requests.Response:
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
        (404, {"message": "Commit not found", "data": {"shas": ["main"]}}, "Commit not found. main."),
        (404, {"message": NO_REPOSITORY}, NO_REPOSITORY),
        (404, {"message": "Repository acme/api not found"}, f"Repository acme/api not found{MAY_NOT}"),
        (404, {"message": "No workspace with identifier 'x'."}, f"No workspace with identifier 'x'{MAY_NOT}"),
        (404, {"message": "No such file or directory: src/project/x"}, "No such file or directory: src/project/x."),
        (404, {"message": "113977999"}, "Not found: 113977999."),
        (404, {"message": "Not found", "detail": "No pipeline 9.", "data": {"key": "a.b"}}, "No pipeline 9."),
        (410, GONE, "CHANGE-1 - gone. Read on. See https://x.org/#1."),
        (401, "invalid_client", "invalid_client (invalid_client)."),
    ],
)
def test_the_message_is_found_in_every_form_of_json_error(status: int, error: Any, said: str) -> None:
    assert from_response(response_with(status, json.dumps({"error": error})), "GET").message == said


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
def test_the_message_is_found_in_text_and_html_but_no_html_page_is_shown(status: int, body: str, kind: str, said: str) -> None:
    error = from_response(response_with(status, body, kind), "GET")
    assert error.message == said
    assert "session=abc" not in str(error)


def test_an_error_names_request_and_error_key_but_no_secret_in_the_address() -> None:
    response = response_with(400, json.dumps({"error": PIPELINES}))
    response.headers["Atl-Traceid"] = "abc"
    assert str(from_response(response, "POST")) == (
        "Requested selector is not found. (400 a.b, POST https://api.bitbucket.org/2.0/x, request id abc)"
    )


def test_an_error_with_another_message_keeps_its_other_attributes() -> None:
    error = from_response(response_with(429, ""), "GET").with_message("Later.")
    error.retry_after = 5.0  # type: ignore[attr-defined]  # a 429 is a BitbucketRateLimitError
    again = pickle.loads(pickle.dumps(error.with_message("Much later.")))  # noqa: S301 - created in this test; processes exchange errors this way
    assert (type(again), again.status, again.retry_after, again.args) == (type(error), 429, 5.0, ("Much later.",))


ALLOWLIST = "To access this repository, an admin must whitelist your IP."
NO_API = {"message": "Resource not found", "detail": "There is no API hosted at this URL."}
DATA_CENTER = {"errors": [{"context": None, "message": "x", "exceptionName": "com.atlassian.bitbucket.NoSuchProjectException"}]}
WEBSITE = "<html><title>Repository not found &mdash; Bitbucket</title></html>"


@pytest.mark.parametrize(
    ("url", "status", "body", "kind", "reason"),
    [
        ("https://bitbucket.org/2.0/user", 404, WEBSITE, "text/html", "bitbucket.org is the website of Bitbucket"),
        ("https://api.bitbucket.org/user", 403, '{"error": {"message": "Forbidden"}}', JSON, "begin with /2.0"),
        ("https://api.bitbucket.org/1.0/user", 404, json.dumps({"error": NO_API}), JSON, "begin with /2.0"),
        ("https://git.acme.com/rest/api/1.0/user", 404, "{}", JSON, "a Bitbucket Data Center server"),
        ("https://acme.com/git/rest/api/latest/user", 401, "{}", JSON, "a Bitbucket Data Center server"),
        ("https://git.acme.com/2.0/user", 404, json.dumps(DATA_CENTER), JSON, "a Bitbucket Data Center server"),
    ],
)
def test_the_error_for_a_wrong_base_url_names_the_correct_one(url: str, status: int, body: str, kind: str, reason: str) -> None:
    response = response_with(status, body, kind)
    response.url = url
    error = from_response(response, "GET", hint="Check the token.")
    assert type(error) is bitbucket.BitbucketBaseUrlError
    assert error.message.startswith("The API base URL (host of the connection) is wrong: ")
    assert reason in error.message
    assert "https://api.bitbucket.org/2.0" in error.message
    assert "access to it" not in error.message
    assert "Check the token" not in error.message


@pytest.mark.parametrize("path", ["repositories/acme/api/src/main/rest/api/x", "rest/x", "repositories/rest/api"])
def test_an_api_path_that_resembles_data_center_is_not_reported_as_a_wrong_base_url(path: str) -> None:
    response = response_with(404, "Not Found", "text/plain")
    response.url = f"https://proxy.example/2.0/{path}"
    assert type(from_response(response, "GET")) is bitbucket.BitbucketNotFoundError


def test_a_website_page_that_the_api_redirects_to_is_not_reported_as_a_wrong_base_url() -> None:
    token_endpoint, redirected = response_with(404, WEBSITE, "text/html"), response_with(404, WEBSITE, "text/html")
    token_endpoint.url = "https://bitbucket.org/site/oauth2/access_token"
    redirected.url = "https://bitbucket.org/acme/api/downloads/x"
    redirected.request = requests.Request("GET", redirected.url).prepare()
    for response in (token_endpoint, redirected):
        assert type(from_response(response, "GET")) is bitbucket.BitbucketNotFoundError


def test_an_address_without_an_api_is_not_reported_as_missing_access() -> None:
    error = from_response(response_with(404, json.dumps({"error": NO_API})), "GET")
    assert error.message.startswith(
        "Resource not found. There is no API hosted at this URL. Check the path, and the API base URL"
    )
    assert "access" not in error.message


@pytest.mark.parametrize("words", [ALLOWLIST, "Your IP address is not on the allowlist of this workspace"])
def test_an_ip_allowlist_is_explained(words: str) -> None:
    error = from_response(response_with(403, json.dumps({"error": {"message": words}})), "GET")
    assert isinstance(error, bitbucket.BitbucketPermissionError)
    assert error.is_ip_restricted
    assert "IP allowlist: its administrator has to add the address of this machine" in error.message


@pytest.mark.parametrize(
    ("status", "message", "headers"),
    [
        (410, "CHANGE-3222 - App passwords have been replaced by API tokens", {}),
        (401, "App passwords are no longer supported", {}),
        (401, "Unauthorized", {"X-Credential-Type": "apppassword"}),
    ],
)
def test_the_error_for_an_app_password_names_its_replacement(status: int, message: str, headers: dict[str, str]) -> None:
    response = response_with(status, json.dumps({"error": {"message": message}}))
    response.headers.update(headers)
    error = from_response(response, "GET", hint="Check the token.")
    assert type(error) is bitbucket.BitbucketAuthError
    assert error.message.count("App passwords were removed on 2026-07-28. Create an API token") == 1
    assert "Check the token" not in error.message


@pytest.mark.parametrize(
    ("status", "words"), [(403, "Forbidden"), (403, "allowlist"), (410, "CHANGE-2770"), (400, "app password")]
)
def test_a_message_without_a_known_cause_is_not_extended(status: int, words: str) -> None:
    assert from_response(response_with(status, json.dumps({"error": {"message": words}})), "GET").message == f"{words}."


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ENVELOPES = st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "detail", "fields", "data"), JSON_VALUES)).map(
    lambda error: json.dumps({"error": error})
)


@given(st.sampled_from([400, 403, 404, 500]), ENVELOPES | JSON_VALUES.map(json.dumps) | st.text())
def test_any_error_body_becomes_a_message(status: int, body: str) -> None:
    assert from_response(response_with(status, body), "GET").message.endswith(".")


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
def test_a_status_determines_the_type_of_error(status: int, kind: type[Any]) -> None:
    assert type(from_response(response_with(status, "{}"), "GET")) is kind


def test_a_removed_api_is_distinguished_from_a_missing_resource(client: BitbucketClient) -> None:
    with pytest.raises(bitbucket.BitbucketGoneError, match="CHANGE-2770"):
        client.get("/workspaces")


def test_a_wrong_token_is_an_auth_error(make_client: Callable[..., BitbucketClient]) -> None:
    with pytest.raises(bitbucket.BitbucketAuthError, match=r"Invalid credentials.*Check e-mail and token"):
        make_client(ApiToken("demo@example.com", "wrong")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="it needs the account e-mail beside it"):
        make_client(AccessToken("demo-api-token")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="marked as private"):
        make_client(OAuthClientCredentials("demo-key", "wrong")).users.me()
