"""The consent page as a browser sees it, and where it sends people: back to the consumer, or nowhere."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

ASKED = {"client_id": "demo-key", "response_type": "code", "state": "a b&c"}
CALLBACK = "http://127.0.0.1:8910/callback"


def authorize(bitbucket: BitbucketEmulator, method: str = "GET", form: Any = None, **asked: str) -> requests.Response:
    url = f"{bitbucket.url}/site/oauth2/authorize"
    return requests.request(method, url, params={**ASKED, **asked}, data=form, allow_redirects=False, timeout=10)


def sent_back(answer: requests.Response) -> tuple[str, dict[str, str]]:
    """Where a person is sent, and what with."""
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["Location"])
    return address._replace(query="").geturl(), {name: values[0] for name, values in parse_qs(address.query).items()}


def test_the_page_shows_who_wants_what_and_who_can_sign_in(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator, scope="account pipeline:write")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Acme OAuth Consumer" in page.text
    assert re.findall(r"<li><code>(.*?)</code>", page.text) == ["account", "pipeline:write"]
    assert re.findall(r"<option value=.*?>(.*?)</option>", page.text) == ["Dana Demo", "Robin Reviewer", "Alex Author"]
    assert re.findall(r"<button .*?>(.*?)</button>", page.text) == ["Grant access", "Deny"]
    assert CALLBACK in page.text


def test_its_form_can_be_sent_as_a_browser_does(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator)
    assert re.search(r'<form method="post">', page.text)  # without action: to the address of the page
    field = re.search(r'<select id="user" name="(.*?)">', page.text)
    button = re.search(r'<button name="(.*?)" value="(.*?)">Grant', page.text)
    assert field
    assert button
    form = {field[1]: "robin.reviewer", button[1]: button[2]}
    where, answer = sent_back(requests.post(page.url, data=form, allow_redirects=False, timeout=10))
    assert where == CALLBACK
    assert set(answer) == {"code", "state"}
    assert answer["state"] == "a b&c"


def test_without_scopes_all_that_the_consumer_has_is_asked_for(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(scopes=["account", "pipeline"], name="<b>Airflow</b>")
    page = authorize(bitbucket_emulator)
    assert re.findall(r"<li><code>(.*?)</code>", page.text) == ["account", "pipeline"]
    assert "<b>Airflow</b>" in unescape(page.text)
    assert "<b>Airflow</b>" not in page.text


def test_who_denies_is_sent_back_without_a_code(bitbucket_emulator: BitbucketEmulator) -> None:
    where, answer = sent_back(authorize(bitbucket_emulator, "POST", {"user": "dana.demo", "decision": "deny"}))
    assert where == CALLBACK
    assert answer["error"] == "access_denied"
    assert answer["error_description"]
    assert answer["state"] == "a b&c"
    assert "code" not in answer


def test_a_redirect_uri_may_go_on_where_the_callback_ends(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(callback_url="http://127.0.0.1")
    mine = "http://127.0.0.1:4711/back?to=ü"
    where, answer = sent_back(authorize(bitbucket_emulator, "POST", {"decision": "grant"}, redirect_uri=mine))
    assert where == "http://127.0.0.1:4711/back"
    assert (answer["to"], set(answer)) == ("ü", {"to", "code", "state"})


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"client_id": "<nobody>"}, "no OAuth consumer"),
        ({"redirect_uri": "http://evil.example/callback"}, f"starts with '{CALLBACK}'"),
        ({"redirect_uri": "http://127.0.0.1:8911/callback"}, f"starts with '{CALLBACK}'"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_strangers_request_is_answered_with_a_page_and_sends_nobody_anywhere(
    bitbucket_emulator: BitbucketEmulator, asked: dict[str, str], complaint: str, method: str
) -> None:
    refused = authorize(bitbucket_emulator, method, {"decision": "grant"} if method == "POST" else None, **asked)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"].startswith("text/html")
    assert "Location" not in refused.headers
    assert complaint in unescape(refused.text)
    assert "<nobody>" not in refused.text


def test_a_consumer_without_callback_url_can_not_ask(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.consumer(callback_url=None)
    refused = authorize(bitbucket_emulator)
    assert (refused.status_code, "no callback URL" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"user": "nobody", "decision": "grant"}, "dana.demo, robin.reviewer, alex.author"),
        ({"user": "acme.oauth.consumer", "decision": "grant"}, "dana.demo"),  # an app user is nobody who signs in
        ({"user": "dana.demo"}, "expected grant or deny"),
    ],
)
def test_a_form_that_nobody_can_have_filled_in_is_explained(
    bitbucket_emulator: BitbucketEmulator, form: dict[str, str], complaint: str
) -> None:
    refused = authorize(bitbucket_emulator, "POST", form)
    assert refused.status_code == 400
    assert complaint in refused.text


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"scope": "account repository:admin issue"}, "invalid_scope", "issue repository:admin"),
        ({"response_type": "token"}, "unsupported_response_type", "'token'"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_request_of_a_known_consumer_goes_back_to_it(
    bitbucket_emulator: BitbucketEmulator, asked: dict[str, str], error: str, named: str, method: str
) -> None:
    form = {"decision": "grant"} if method == "POST" else None
    where, answer = sent_back(authorize(bitbucket_emulator, method, form, **asked))
    assert (where, answer["error"], answer["state"]) == (CALLBACK, error, "a b&c")
    assert named in answer["error_description"]


def test_scopes_that_the_consumers_include_can_be_asked_for(bitbucket_emulator: BitbucketEmulator) -> None:
    page = authorize(bitbucket_emulator, scope="repository pullrequest email")
    assert page.status_code == 200
    refused = authorize(bitbucket_emulator, scope="account:write")
    assert sent_back(refused)[1]["error"] == "invalid_scope"


def test_in_the_demo_everybody_who_still_works_there_can_sign_in(bitbucket_demo: BitbucketEmulator) -> None:
    people = re.findall(r"<option value=.*?>(.*?)</option>", authorize(bitbucket_demo).text)
    assert people[:3] == ["Dana Demo", "Priya Raman", "Tomás Herrera"]
    assert "Noah Fischer" not in people
    assert "Acme Automation" not in people
