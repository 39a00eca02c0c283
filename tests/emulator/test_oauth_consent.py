"""The consent page works in a browser and redirects to the registered callback URL only."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

QUERY = {"client_id": "demo-key", "response_type": "code", "state": "a b&c"}
CALLBACK = "http://127.0.0.1:8910/callback"


def authorize(bitbucket: BitbucketEmulator, method: str = "GET", form: Any = None, **query: str) -> requests.Response:
    url = f"{bitbucket.url}/site/oauth2/authorize"
    return requests.request(method, url, params={**QUERY, **query}, data=form, allow_redirects=False, timeout=10)


def redirect_of(answer: requests.Response) -> tuple[str, dict[str, str]]:
    """Return address and query of a redirect."""
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["Location"])
    return address._replace(query="").geturl(), {name: values[0] for name, values in parse_qs(address.query).items()}


def test_the_page_shows_consumer_scopes_and_users(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator, scope="account pipeline:write")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Acme OAuth Consumer" in page.text
    assert re.findall(r"<li><code>(.*?)</code>", page.text) == ["account", "pipeline:write"]
    assert re.findall(r"<option value=.*?>(.*?)</option>", page.text) == ["Dana Demo", "Robin Reviewer", "Alex Author"]
    assert re.findall(r"<button .*?>(.*?)</button>", page.text) == ["Grant access", "Deny"]
    assert CALLBACK in page.text


def test_the_form_can_be_submitted_as_a_browser_does(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator)
    assert re.search(r'<form method="post">', page.text)  # without an action it is submitted to the address of the page
    field = re.search(r'<select id="user" name="(.*?)">', page.text)
    button = re.search(r'<button name="(.*?)" value="(.*?)">Grant', page.text)
    assert field
    assert button
    form = {field[1]: "robin.reviewer", button[1]: button[2]}
    address, answer = redirect_of(requests.post(page.url, data=form, allow_redirects=False, timeout=10))
    assert address == CALLBACK
    assert set(answer) == {"code", "state"}
    assert answer["state"] == "a b&c"


def test_all_scopes_of_the_consumer_are_requested_by_default(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(scopes=["account", "pipeline"], name="<b>Airflow</b>")
    page = authorize(bitbucket_emulator)
    assert re.findall(r"<li><code>(.*?)</code>", page.text) == ["account", "pipeline"]
    assert "<b>Airflow</b>" in unescape(page.text)
    assert "<b>Airflow</b>" not in page.text


def test_a_denial_redirects_without_a_code(bitbucket_emulator: BitbucketEmulator) -> None:
    address, answer = redirect_of(authorize(bitbucket_emulator, "POST", {"user": "dana.demo", "decision": "deny"}))
    assert address == CALLBACK
    assert answer["error"] == "access_denied"
    assert answer["error_description"]
    assert answer["state"] == "a b&c"
    assert "code" not in answer


def test_a_redirect_uri_may_extend_the_callback_url(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(callback_url="http://127.0.0.1")
    mine = "http://127.0.0.1:4711/back?to=ü"
    address, answer = redirect_of(authorize(bitbucket_emulator, "POST", {"decision": "grant"}, redirect_uri=mine))
    assert address == "http://127.0.0.1:4711/back"
    assert (answer["to"], set(answer)) == ("ü", {"to", "code", "state"})


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"client_id": "<unknown>"}, "no OAuth consumer"),
        ({"redirect_uri": "http://evil.example/callback"}, f"starts with '{CALLBACK}'"),
        ({"redirect_uri": "http://127.0.0.1:8911/callback"}, f"starts with '{CALLBACK}'"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_of_an_unknown_consumer_or_callback_is_answered_without_a_redirect(
    bitbucket_emulator: BitbucketEmulator, query: dict[str, str], complaint: str, method: str
) -> None:
    refused = authorize(bitbucket_emulator, method, {"decision": "grant"} if method == "POST" else None, **query)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"].startswith("text/html")
    assert "Location" not in refused.headers
    assert complaint in unescape(refused.text)
    assert "<unknown>" not in refused.text


def test_a_consumer_without_a_callback_url_is_refused(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(callback_url=None)
    refused = authorize(bitbucket_emulator)
    assert (refused.status_code, "no callback URL" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"user": "unknown", "decision": "grant"}, "dana.demo, robin.reviewer, alex.author"),
        ({"user": "acme.oauth.consumer", "decision": "grant"}, "dana.demo"),  # an app user cannot sign in
        ({"user": "dana.demo"}, "expected grant or deny"),
    ],
)
def test_a_malformed_form_is_answered_with_an_explanation(
    bitbucket_emulator: BitbucketEmulator, form: dict[str, str], complaint: str
) -> None:
    refused = authorize(bitbucket_emulator, "POST", form)
    assert refused.status_code == 400
    assert complaint in refused.text


@pytest.mark.parametrize(
    ("query", "error", "named"),
    [
        ({"scope": "account issue runner:write"}, "invalid_scope", "issue runner:write"),
        ({"response_type": "token"}, "unsupported_response_type", "'token'"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_error_in_a_request_of_a_known_consumer_is_reported_to_its_callback(
    bitbucket_emulator: BitbucketEmulator, query: dict[str, str], error: str, named: str, method: str
) -> None:
    form = {"decision": "grant"} if method == "POST" else None
    address, answer = redirect_of(authorize(bitbucket_emulator, method, form, **query))
    assert (address, answer["error"], answer["state"]) == (CALLBACK, error, "a b&c")
    assert named in answer["error_description"]


def test_scopes_included_in_those_of_the_consumer_can_be_requested(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator, scope="repository pullrequest email")
    assert page.status_code == 200
    refused = authorize(bitbucket_emulator, scope="account:write")
    assert redirect_of(refused)[1]["error"] == "invalid_scope"


def test_all_current_members_can_sign_in_to_the_demo(bitbucket_demo: BitbucketEmulator) -> None:
    people = re.findall(r"<option value=.*?>(.*?)</option>", authorize(bitbucket_demo).text)
    assert people[:3] == ["Dana Demo", "Priya Raman", "Tomás Herrera"]
    assert "Noah Fischer" not in people
    assert "Acme Automation" not in people
