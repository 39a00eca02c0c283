"""``airflow bitbucket ...`` in a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_bitbucket.cli.__main__ import main
from airflow_provider_bitbucket.client import Login, OAuthTokens
from airflow_provider_bitbucket.exceptions import BitbucketUserError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.logins import Logins
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import free_port

Cli = Callable[..., str]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> None:
    """What a command sets in its own process does not stay in this one."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command and return what it printed."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        main(arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def consumer(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> Iterator[str]:
    """A connection with an OAuth consumer whose callback is on a free port; returns the callback URL."""
    callback = f"http://127.0.0.1:{free_port()}/callback"
    bitbucket_emulator.consumer(callback_url=callback)
    connect(connection_json(bitbucket_emulator, "oauth", callback_url=callback))
    yield callback
    logins = Logins("bitbucket_default")
    for user in logins.names():
        logins.forget(user)


def consent(address: str, decision: str = "grant", user: str = "robin.reviewer") -> str:
    """Do what a person does on Bitbucket's page, and return the address that the browser is sent to."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    form = urllib.parse.urlencode({"decision": decision, "user": user}).encode()
    try:
        urllib.request.build_opener(Stay).open(address, form, timeout=10)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("no redirect")


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """A browser in which Robin grants access (``decision``); collects the status and the page that it ends on."""
    pages: list[tuple[int, str]] = []

    def walk(address: str) -> None:
        back = consent(address)
        origin = back.partition("?")[0]
        for tried in (f"{origin}?code=stolen&state=guessed", f"{origin}/favicon.ico", back):
            try:
                with urllib.request.urlopen(tried, timeout=10) as answer:
                    pages.append((answer.status, answer.read().decode()))
            except urllib.error.HTTPError as answer:
                pages.append((answer.code, answer.read().decode()))

    def open_browser(address: str) -> bool:
        threading.Thread(target=walk, args=(address,), daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open", open_browser)
    return pages


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """Answer the question for the address that a browser elsewhere was sent to."""

    def ask(_: str) -> str:
        printed = capsys.readouterr().out
        address = next(line.strip() for line in printed.splitlines() if "/site/oauth2/authorize" in line)
        return answer(address)

    monkeypatch.setattr("builtins.input", ask)


def test_a_login_in_the_browser_connects_the_users_own_account(
    cli: Cli, consumer: str, browser: list[tuple[int, str]], bitbucket_emulator: BitbucketEmulator
) -> None:
    said = cli("login", "--user", "anna")

    assert "anna is connected to bitbucket_default as Robin Reviewer." in said
    assert "Connected as Robin Reviewer, workspace Acme; all features available." in said
    assert [status for status, _ in browser] == [400, 404, 200], "only our own answer ends the login"
    assert "You can close this window" in browser[-1][1]
    assert BitbucketHook(run_as="anna").get_conn().users.me()["display_name"] == "Robin Reviewer"

    table = cli("status", "--output", "json")
    assert [(row["user"], row["account"]) for row in json.loads(table)] == [("anna", "Robin Reviewer")]
    assert cli("users", "--output", "json") == table
    assert "Connected as Robin Reviewer" in cli("check", "--user", "anna")
    login = Logins("bitbucket_default").get("anna")
    assert login is not None
    assert login.tokens.refresh_token not in said + table

    assert "is deleted here" in cli("logout", "--user", "anna")
    assert "No user has logged in" in cli("status")
    with pytest.raises(SystemExit, match="anna has no login"):
        cli("logout", "--user", "anna")


@pytest.mark.parametrize("pasted", ["address", "code"])
def test_without_a_browser_the_address_or_the_code_is_pasted(
    cli: Cli, consumer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pasted: str
) -> None:
    def answer(address: str) -> str:
        back = consent(address)
        return back if pasted == "address" else urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]

    answer_with(monkeypatch, answer, capsys)
    assert "bob is connected to bitbucket_default as Robin Reviewer." in cli("login", "--user", "bob", "--no-browser")


def test_an_answer_to_another_login_is_refused(
    cli: Cli, consumer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(monkeypatch, lambda address: f"{consumer}?code=of-another-user&state=another", capsys)
    with pytest.raises(SystemExit, match="does not belong to the login that was started here"):
        cli("login", "--user", "bob", "--no-browser")


def test_who_denies_access_is_not_connected(
    cli: Cli, consumer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(monkeypatch, lambda address: consent(address, "deny"), capsys)
    with pytest.raises(SystemExit, match="Bitbucket gave no access"):
        cli("login", "--user", "bob", "--no-browser")
    assert Logins("bitbucket_default").get("bob") is None


def test_only_the_scopes_of_the_connection_are_asked_for(
    cli: Cli,
    consumer: str,
    connect: Callable[..., None],
    bitbucket_emulator: BitbucketEmulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connect(connection_json(bitbucket_emulator, "oauth", callback_url=consumer, scopes="pullrequest pipeline"))
    answer_with(monkeypatch, consent, capsys)
    assert "scope 'account' was not granted" in cli("login", "--user", "bob", "--no-browser")
    login = Logins("bitbucket_default").get("bob")
    assert login is not None
    assert set(login.tokens.scopes) == {"pullrequest", "pipeline"}


def test_a_user_name_that_could_name_another_variable_is_refused(cli: Cli, consumer: str) -> None:
    for name in ("a__next", "../x", "_", "a b"):
        with pytest.raises(SystemExit, match="cannot have credentials"):
            cli("login", "--user", name, "--no-browser")


def test_a_similar_name_gets_no_access_to_the_login_of_another_user(cli: Cli, consumer: str) -> None:
    now = time.time()
    tokens = OAuthTokens("access-token", now + 7200, now, (), "refresh-token")
    logins = Logins("bitbucket_default")
    logins.keep(Login("anna", "Anna", tokens))
    with pytest.raises(BitbucketUserError, match=r"'Anna' .* belongs to 'anna'"):
        logins.keep(Login("Anna", "Another", tokens))
    with pytest.raises(SystemExit, match="belongs to 'anna'"):
        cli("logout", "--user", "Anna")
    assert logins.get("anna") == Login("anna", "Anna", tokens)


def test_a_login_that_expires_soon_is_marked(cli: Cli, consumer: str) -> None:
    received = time.time() - 80 * 24 * 3600
    tokens = OAuthTokens("access-token", received + 7200, received, (), "refresh-token")
    Logins("bitbucket_default").keep(Login("anna", "Anna", tokens))
    assert "soon: log in again" in cli("status", "--output", "plain")


def test_a_check_without_a_user_never_takes_the_user_of_the_terminal(
    cli: Cli, connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, token = bitbucket_emulator.api_tokens["robin.reviewer"]
    own = {"conn_type": "bitbucket", "login": email, "password": token, "extra": {"user": "robin"}}
    connect(json.dumps(own), "bitbucket_default__robin")
    connect(connection_json(bitbucket_emulator, "api_token_per_user"))
    monkeypatch.setenv("LOGNAME", "robin")
    with pytest.raises(SystemExit, match=r"no user triggered this run(.|\n)*airflow bitbucket check --user <name>"):
        cli("check")
    connect(connection_json(bitbucket_emulator, "api_token_per_user", default_user="robin"))
    assert cli("check").startswith("Connected as Robin Reviewer, workspace Acme; all features available.\n\nGranted scopes: ")


def test_users_of_own_api_tokens_are_listed_without_a_secret(
    cli: Cli, connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator
) -> None:
    connect(connection_json(bitbucket_emulator, "api_token_per_user"))
    assert "No user is connected" in cli("users")
    email, token = bitbucket_emulator.api_tokens["robin.reviewer"]
    own = {"conn_type": "bitbucket", "login": email, "password": token, "extra": {"user": "robin"}}
    connect(json.dumps(own), "bitbucket_default__robin")
    connect(json.dumps({**own, "extra": {}}), "bitbucket_default__prod")
    said = cli("users", "--output", "json")
    assert json.loads(said) == [{"user": "robin", "connection": "bitbucket_default__robin", "e-mail": email}]
    assert token not in said
    assert "Connected as Robin Reviewer" in cli("check", "--user", "robin")


def test_commands_for_logins_say_so_when_the_connection_has_none(
    cli: Cli, connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator
) -> None:
    connect(connection_json(bitbucket_emulator))
    with pytest.raises(SystemExit, match="logins need auth_type 'oauth'; it is 'api_token'"):
        cli("login")
    assert "has one credential for all (auth type api_token)" in cli("users")
    assert "Connected as Dana Demo" in cli("check")
    with pytest.raises(SystemExit, match="isn't defined"):
        cli("check", "--conn-id", "nowhere")


def test_every_login_is_renewed_and_an_expired_one_is_reported(consumer: str, bitbucket_emulator: BitbucketEmulator) -> None:
    logins = Logins("bitbucket_default")
    for user, person in (("anna", "robin.reviewer"), ("bob", "alex.author")):
        answer, now = bitbucket_emulator.login(person), time.time()
        logins.keep(Login(user, person, OAuthTokens(answer["access_token"], now + 7200, now, (), answer["refresh_token"])))
    bitbucket_emulator.revoke_logins("alex.author")
    anna, bob = BitbucketHook().renew_logins()
    assert anna == {"user": "anna", "account": "robin.reviewer", "problem": None}
    assert "The Bitbucket login of 'bob' has expired" in bob["problem"]
    assert "airflow bitbucket login --conn-id bitbucket_default --user bob" in bob["problem"]


@pytest.mark.slow
def test_airflow_itself_has_the_commands() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "airflow", "bitbucket", "--help"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    for command in ("login", "logout", "status", "users", "check"):
        assert command in said


def test_an_estimate_shows_the_requests_of_each_repository_and_the_time(
    cli: Cli, connect: Callable[..., None], bitbucket_demo: BitbucketEmulator
) -> None:
    connect(connection_json(bitbucket_demo))
    printed = cli("estimate", "--dataset", "pull_requests", "--repositories", "api,web", "--with-diffstat")
    assert "acme/api" in printed
    assert "acme/web" in printed
    assert re.search(r"About [\d,]+ requests; \d+ of 1,000 an hour are left: about \d+ min\.", printed)
    with pytest.raises(SystemExit, match="There is no dataset 'pull_request'"):
        cli("estimate", "--dataset", "pull_request")
