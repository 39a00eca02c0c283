"""Credentials are sent to one host only and are never shown."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import (
    AccessToken,
    ApiToken,
    BitbucketClient,
    Lease,
    Login,
    OAuthClientCredentials,
    OAuthConsumer,
    OAuthLogin,
    OAuthTokens,
    StoredLogin,
)
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.memory_store import MemoryStore
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer

TOKEN_PATH = "/site/oauth2/access_token"
SECRETS = {"authorization", "cookie", "x-mine"}


def redirect(url: str, status: int = 307) -> Answer:
    return Answer(status=status, headers={"Location": url, "Set-Cookie": "session=mine"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_token_is_sent_to_the_log_storage_host(
    server_client: BitbucketClient, server: WebServer, other_host: WebServer, status: int
) -> None:
    server.answer("/2.0/log", redirect(f"{other_host.url}/storage?signature=1", status))
    other_host.answer("/storage", Answer("the log"))
    for _ in range(2):  # the second request has a cookie in its jar
        assert server_client.request("GET", "/log", headers={"Range": "bytes=-5", "X-Mine": "private"}).content == b"the log"
    assert server.asked[1].headers["cookie"] == "session=mine"
    for asked in other_host.asked:
        assert asked.headers["range"] == "bytes=-5"
        assert not SECRETS & set(asked.headers)


def test_a_netrc_file_does_not_add_credentials_after_a_redirect(
    server_client: BitbucketClient, server: WebServer, other_host: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answer("/2.0/log", redirect(f"{other_host.url}/storage"))
    other_host.answer("/storage", Answer("the log"))
    server_client.request("GET", "/log")
    assert server.asked[0].headers["authorization"].startswith("Basic bWVAeC5vcmc6")  # me@x.org:
    assert not SECRETS & set(other_host.asked[0].headers)


def test_no_token_is_sent_to_the_api_after_a_redirect_through_another_host(
    server_client: BitbucketClient, server: WebServer, other_host: WebServer
) -> None:
    server.answer("/2.0/log", redirect(f"{other_host.url}/storage"))
    other_host.answer("/storage", redirect(f"{server.api_url}/user"))
    server.answer("/2.0/user", {"me": 1})
    server_client.request("GET", "/log")
    assert not SECRETS & set(server.asked[-1].headers)


@pytest.mark.parametrize("path", ["/elsewhere", "/2.00/elsewhere"])
def test_no_token_is_sent_outside_the_api_path_of_its_own_host(
    server_client: BitbucketClient, server: WebServer, path: str
) -> None:
    server.answer("/2.0/log", redirect(f"{server.url}{path}"))
    server.answer(path, Answer("x"))
    assert server_client.request("GET", "/log").content == b"x"
    assert not SECRETS & set(server.asked[-1].headers)


@pytest.mark.parametrize("path", ["/2.0/../elsewhere", "/2.0/%2e%2e/elsewhere", "/2.0\\elsewhere", "/2.0/a b"])
def test_an_ambiguous_redirect_is_not_followed(server_client: BitbucketClient, server: WebServer, path: str) -> None:
    server.answer("/2.0/log", redirect(f"{server.url}{path}"))
    with pytest.raises(bitbucket.BitbucketError, match="Refused the address"):
        server_client.request("GET", "/log")
    with pytest.raises(bitbucket.BitbucketError, match="Refused the address"):
        server_client.post("/log", {"a": 1})
    assert {asked.path for asked in server.asked} == {"/2.0/log"}
    assert [asked.method for asked in server.asked].count("POST") == 1


def test_the_number_of_redirects_is_limited(server_client: BitbucketClient, server: WebServer) -> None:
    server.answer("/2.0/log", redirect(f"{server.api_url}/log"))
    with pytest.raises(bitbucket.BitbucketError, match="More than 5 redirects"):
        server_client.request("GET", "/log")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirected_post_keeps_its_method_and_body(server_client: BitbucketClient, server: WebServer, status: int) -> None:
    server.answer("/2.0/old", redirect(f"{server.api_url}/new", status))
    server.answer("/2.0/new", {"done": True})
    assert server_client.post("/old", {"a": 1}) == {"done": True}
    assert (server.asked[1].method, server.asked[1].body) == ("POST", b'{"a": 1}')


@pytest.mark.parametrize(("status", "host"), [(301, "server"), (302, "server"), (303, "server"), (307, "other_host")])
def test_a_post_is_not_redirected_to_another_host_or_by_a_status_that_changes_its_method(
    server_client: BitbucketClient, server: WebServer, other_host: WebServer, status: int, host: str
) -> None:
    server.answer("/2.0/old", redirect(f"{(server if host == 'server' else other_host).api_url}/new", status))
    with pytest.raises(bitbucket.BitbucketError, match=r"The resource has moved to .*/2\.0/new'.* Use the new name"):
        server_client.post("/old", {"a": 1})
    assert len(server.asked) == 1
    assert not other_host.asked


def test_a_renamed_repository_is_followed_for_reads_and_an_error_for_writes(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "rename": "service"})
    assert client.repositories.get("api")["slug"] == "service"
    assert [row["state"] for row in client.pull_requests.list("api")] == []
    with pytest.raises(bitbucket.BitbucketError, match=r"has moved to .*service.*Use the new name"):
        client.pipelines.trigger("api", branch="main")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/2.0/user",
        "//evil.example/2.0/user",
        "http://api.bitbucket.org/2.0/user",
        "https://api.bitbucket.org:8443/2.0/user",
        "https://api.bitbucket.org/1.0/user",
        "https://api.bitbucket.org@evil.example/2.0/user",
    ],
)
def test_a_link_to_another_host_is_refused(link: str) -> None:
    client = BitbucketClient(AccessToken("secret"), "acme")
    with pytest.raises(bitbucket.BitbucketError, match=r"Refused .*(credentials go nowhere else|user info)"):
        client.request("GET", link)


@pytest.mark.parametrize("name", ["../../user", "api/../../../user", "a b", "{uuid}", "api?x=1", "ap#i", "%2e%2e", "a\\b"])
def test_a_repository_name_cannot_lead_to_another_path(client: BitbucketClient, name: str) -> None:
    try:
        path = client.repository_path(name)
    except ValueError:
        return
    assert path.count("/") == 3
    assert not set("?#{} \\") & set(path)
    assert "%2e" not in path.lower().replace("%252e", "")


def test_a_branch_name_stays_one_segment(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    head = client.refs.branch("api", "main")["target"]["hash"]
    client.post(f"{client.repository_path('api')}/refs/branches", {"name": "feature/a%2Fb#1", "target": {"hash": head}})
    assert client.refs.branch("api", "feature/a%2Fb#1")["target"]["hash"] == head
    with pytest.raises(bitbucket.BitbucketNotFoundError):
        client.refs.branch("api", "main/../../../../../../user")


def oauth_login() -> OAuthLogin:
    """Return a login of a user whose tokens are valid for years."""
    store, tokens = MemoryStore(), OAuthTokens("s3cret-access", 4e9, 3.9e9, (), "s3cret-refresh")
    StoredLogin(store, "login").write(Login("me", "Me", tokens))
    login = OAuthLogin(
        OAuthConsumer("key", "s3cret"), StoredLogin(store, "login"), Lease(store, "lease"), user="me", hint="Log in."
    )
    login.load()
    return login


AUTHS = [ApiToken("me@x.org", "s3cret"), AccessToken("s3cret"), OAuthClientCredentials("key", "s3cret"), oauth_login()]


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: auth.kind)
def test_no_credential_of_any_kind_is_sent_to_another_host(
    auth: bitbucket.Auth, server: WebServer, other_host: WebServer, time: Time
) -> None:
    server.answer(TOKEN_PATH, {"access_token": "s3cret-access", "expires_in": 7200})
    server.answer("/2.0/log", redirect(f"{other_host.url}/storage"))
    server.answer("/2.0/list", {"values": [{"id": 1}], "next": f"{other_host.url}/2.0/list?page=2"})
    server.answer("/2.0/repositories/acme/old", redirect(f"{other_host.url}/2.0/repositories/acme/new", 301))
    other_host.answer("/storage", Answer("the log"))
    other_host.answer("/2.0/repositories/acme/new", {})
    client = BitbucketClient(auth, "acme", server.api_url, clock=time.clock)
    assert client.request("GET", "/log", headers={"Accept": "*/*"}).content == b"the log"
    with pytest.raises(bitbucket.BitbucketError, match="credentials go nowhere else"):
        list(client.paginate("/list"))
    client.repositories.get("old")
    assert len(other_host.asked) == 2
    assert not any(secret in str(other_host.asked) for secret in [*auth.secrets(), "s3cret"])
    assert any(secret in str(server.asked) for secret in auth.secrets()), "credentials are sent to the API"


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: auth.kind)
def test_repr_and_budget_key_do_not_show_secrets(auth: bitbucket.Auth) -> None:
    client = BitbucketClient(auth, "acme")
    assert "s3cret" not in f"{client!r} {auth!r} {auth.budget_key} {client.budget.name}"
    assert "s3cret" in auth.secrets()


@pytest.mark.parametrize("auth", AUTHS[:2], ids=lambda auth: auth.kind)
def test_logs_and_errors_do_not_contain_secrets(
    server: WebServer, time: Time, auth: bitbucket.Auth, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer("/2.0/thing", Answer("no", 500))
    client = BitbucketClient(auth, "acme", server.api_url, clock=time.clock)
    with caplog.at_level(logging.DEBUG, "airflow_provider_bitbucket"), pytest.raises(bitbucket.BitbucketError) as caught:
        client.request("GET", "/thing", params={"access_token": "s3cret"})
    shown = f"{caplog.text} {caught.value} {caught.value!r} {caught.value.__cause__}"
    assert not any(secret in shown for secret in auth.secrets())


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "naïve", "nul\0"])
def test_a_token_with_invalid_characters_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        AccessToken(token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://x", "api.bitbucket.org", "https://me:pw@host/2.0", "https://host/2.0?token=1"])
def test_a_malformed_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="API base URL") as caught:
        BitbucketClient(AccessToken("t"), "acme", url)
    assert "pw" not in str(caught.value)


def test_a_deprecation_is_logged_once_for_each_kind_of_path(
    server_client: BitbucketClient, server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {
        "Deprecation": "@1771545600",
        "Sunset": "Fri, 21 Aug 2026 00:00:00 UTC",
        "Link": '<https://x.org#1>; rel="deprecation"',
    }
    for path in ("/2.0/issues/1", "/2.0/issues/2", "/2.0/wiki"):
        server.answer(path, Answer({}, 200, headers))
        server_client.get(path.removeprefix("/2.0"))
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert warnings[0].startswith("Atlassian will remove /2.0/issues/... on Fri, 21 Aug 2026 00:00:00 UTC: <https://x.org#1>")


def test_a_streamed_response_is_read_by_the_caller(server_client: BitbucketClient, server: WebServer) -> None:
    server.answer("/2.0/file", Answer(b"x" * 100_000))
    with server_client.request("GET", "/file", stream=True) as response:
        assert sum(map(len, response.iter_content(1000))) == 100_000
    server.answer("/2.0/file", Answer({"error": {"message": "No such file"}}, 404))
    with pytest.raises(bitbucket.BitbucketNotFoundError, match="No such file"):
        server_client.request("GET", "/file", stream=True)


def test_the_client_imports_neither_airflow_nor_pandas() -> None:
    code = "import sys, airflow_provider_bitbucket.client; print({'airflow', 'pandas', 'fastapi'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_log_of_a_finished_step_is_read_from_storage_without_credentials(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    uuid = client.pipelines.trigger("api", branch="main")["uuid"]
    bitbucket_emulator.clock(advance=3600)
    step = client.pipelines.steps("api", uuid)[0]["uuid"]
    # The emulated storage is on another host (localhost), and refuses an Authorization header like the real one.
    assert b"Step result: SUCCESSFUL" in client.pipelines.log("api", uuid, step)


def test_tokens_of_one_user_share_a_budget_but_not_an_identity() -> None:
    same, other = ApiToken("me@x.org", "s3cret"), ApiToken("me@x.org", "narrow")

    assert same.budget_key == other.budget_key
    assert same.identity != other.identity
    assert same.identity == ApiToken("me@x.org", "s3cret").identity
    assert all("s3cret" not in auth.identity for auth in AUTHS)
