"""Credentials go to one host and show nowhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient, OAuthClientCredentials
from airflow_provider_bitbucket.emulator import BitbucketEmulator


class Stranger(BaseHTTPRequestHandler):
    """Another host: notes what it is told, and redirects or lists as its path says."""

    seen: list[dict[str, str]] = []
    answer: dict[str, str] = {}

    def do_GET(self) -> None:
        type(self).seen.append({name.lower(): value for name, value in self.headers.items()})
        location = type(self).answer.get(self.path.partition("?")[0])
        body = b"the log" if location is None else location.encode()
        self.send_response(302 if location and location.startswith("redirect:") else 200)
        if location and location.startswith("redirect:"):
            self.send_header("Location", location.removeprefix("redirect:"))
            body = b""
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def two_hosts() -> Iterator[tuple[str, type[Stranger], str]]:
    """An API that leads elsewhere, and the elsewhere: two ports, so two origins."""
    api_class = type("Api", (Stranger,), {"seen": [], "answer": {}})
    other_class = type("Other", (Stranger,), {"seen": [], "answer": {}})
    servers = [HTTPServer(("127.0.0.1", 0), kind) for kind in (api_class, other_class)]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    api, other = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    api_class.answer = {
        "/2.0/log": f"redirect:{other}/storage",
        "/2.0/list": f'{{"values": [], "next": "{other}/2.0/list"}}',
        "/2.0/inside": f"redirect:{api}/elsewhere",
    }
    yield f"{api}/2.0", other_class, other
    for server in servers:
        server.shutdown()
        server.server_close()


def test_no_token_is_sent_to_the_log_storage_host(two_hosts: tuple[str, type[Stranger], str]) -> None:
    api, other, _ = two_hosts
    client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", api)
    assert client.request("GET", "/log", headers={"Range": "bytes=-5", "X-Mine": "private"}).content == b"the log"
    assert other.seen[0]["range"] == "bytes=-5"
    assert not {"authorization", "cookie", "x-mine"} & set(other.seen[0])


def test_no_token_leaves_the_api_path_of_its_own_host(two_hosts: tuple[str, type[Stranger], str]) -> None:
    api, _, _ = two_hosts
    client = BitbucketClient(AccessToken("secret"), "acme", api)
    assert client.request("GET", "/inside").status_code == 200


def test_a_next_page_on_another_host_is_refused(two_hosts: tuple[str, type[Stranger], str]) -> None:
    api, other, _ = two_hosts
    client = BitbucketClient(AccessToken("secret"), "acme", api)
    with pytest.raises(bitbucket.BitbucketError, match="credentials go nowhere else"):
        list(client.paginate("/list"))
    assert not other.seen


@pytest.mark.parametrize(
    "link", ["https://evil.example/2.0/user", "//evil.example/2.0/user", "http://api.bitbucket.org/2.0/user"]
)
def test_a_link_to_another_host_is_refused(link: str) -> None:
    client = BitbucketClient(AccessToken("secret"), "acme")
    with pytest.raises(bitbucket.BitbucketError, match="credentials go nowhere else"):
        client.request("GET", link)


def test_the_log_of_a_finished_step_is_read_from_storage_without_credentials(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    uuid = client.pipelines.trigger("api", branch="main")["uuid"]
    bitbucket_emulator.clock(advance=3600)
    step = client.pipelines.steps("api", uuid)[0]["uuid"]
    whole = client.pipelines.log("api", uuid, step)  # the emulated storage refuses an Authorization header
    assert client.pipelines.log("api", uuid, step, last=10) == whole[-10:]
    assert client.pipelines.log("api", uuid, step, start=3, end=7) == whole[3:8]
    assert client.pipelines.log("api", uuid, step, start=len(whole)) == b""


@pytest.mark.parametrize("name", ["../../user", "api/../../../user", "a b", "{uuid}", "api?x=1", "ap#i"])
def test_a_repository_name_can_not_reach_another_path(client: BitbucketClient, name: str) -> None:
    try:
        path = client.repository_path(name)
    except ValueError:
        return
    assert path.count("/") == 3
    assert not set("?#{} ") & set(path)


def test_a_renamed_repository_is_followed_for_reads_and_named_for_writes(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "rename": "service"})
    assert client.repositories.get("api")["slug"] == "service"
    with pytest.raises(bitbucket.BitbucketError, match="has moved to .*service.*Use the new name"):
        client.pipelines.trigger("api", branch="main")


@pytest.mark.parametrize("auth", [ApiToken("me@x.org", "s3cret"), AccessToken("s3cret"), OAuthClientCredentials("key", "s3cret")])
def test_secrets_do_not_show_in_repr_or_budget_key(auth: bitbucket.Auth) -> None:
    client = BitbucketClient(auth, "acme")
    assert "s3cret" not in f"{client!r} {auth!r} {auth.budget_key}"
    assert auth.secrets()


def test_an_oauth_token_is_fetched_where_the_api_is_and_renewed_when_revoked(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    told: list[str] = []
    client = make_client(OAuthClientCredentials(*bitbucket_emulator.oauth_consumer, on_secret=told.append))
    assert client.users.me()["type"] == "app_user"
    bitbucket_emulator.control("DELETE", f"credentials/{told[0]}")
    assert client.users.me()["type"] == "app_user"
    assert len(told) == 2
    assert bitbucket_emulator.requests()["POST /site/oauth2/access_token"] == 2


@pytest.mark.parametrize("key", ["scope", "scopes"])
def test_granted_scopes_are_read_in_both_spellings_of_the_key(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, key: str
) -> None:
    bitbucket_emulator.settings(oauth_scope_key=key)
    auth = OAuthClientCredentials(*bitbucket_emulator.oauth_consumer)
    make_client(auth).users.me()
    assert "pipeline:write" in auth.scopes


@pytest.mark.parametrize("url", ["ftp://x", "api.bitbucket.org", "https://me:pw@host/2.0"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="API base URL"):
        BitbucketClient(AccessToken("t"), "acme", url)
