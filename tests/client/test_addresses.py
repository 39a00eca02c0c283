"""Credentials and bodies are sent to the API only, however an address is written."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, BitbucketClient, OAuthConsumer
from airflow_provider_bitbucket.client.transport.addresses import Address, ApiAddress
from airflow_provider_bitbucket.client.transport.retry import NO_RETRIES
from tests.client.web_server import Answer, WebServer

BITBUCKET = "https://api.bitbucket.org/2.0"
SIGNED = "X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=5161a7u2e"
#: Characters that URL parsers interpret differently.
AMBIGUOUS = st.text(st.sampled_from("\\@:/?#%.[];&= \t\r\n\x00\x7f2eEfF0aé。\uff0f\u200b\ud7ff"), max_size=6)
PARTS = st.sampled_from(
    ["", "x", "..", "%2e%2e", "%2F", "2.0", "/2.0", "/2.0/x", "http:", "http://", "//", "http:\\\\", "user:pw"]
)


@pytest.fixture(scope="module")
def api() -> Iterator[WebServer]:
    """The API."""
    with WebServer() as running:
        yield running


@pytest.fixture(scope="module")
def evil() -> Iterator[WebServer]:
    """Another host, which answers every request."""
    with WebServer(default=Answer({"evil": True})) as running:
        yield running


@pytest.fixture(autouse=True)
def reset_servers(api: WebServer, evil: WebServer) -> None:
    """Delete the requests and answers of earlier tests."""
    for server in (api, evil):
        server.asked.clear()
        server.answers.clear()


def make_client(base_url: str) -> BitbucketClient:
    return BitbucketClient(AccessToken("s3cret"), "acme", base_url, retries=NO_RETRIES, timeout=(2.0, 2.0), rate_limit=10**9)


def attempt(call: Any) -> None:
    """Make a call that may raise a BitbucketError, but no other error."""
    with contextlib.suppress(bitbucket.BitbucketError):
        call()


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """Generate addresses from the two hosts (``API`` and ``EVIL``) and from characters that parsers interpret differently."""
    beginning = draw(
        st.sampled_from(["", "//EVIL", "http://", "http://API", "http://EVIL", "http://API/2.0/", "http://EVIL/2.0/"])
    )
    hosts = st.sampled_from(["API", "EVIL", "API/2.0/x", "EVIL/2.0/x"])
    return beginning + "".join(draw(st.lists(hosts | PARTS | AMBIGUOUS, max_size=5)))


def with_hosts(template: str, api: WebServer, evil: WebServer) -> str:
    """Replace ``API`` and ``EVIL`` by the addresses of the two hosts."""
    return template.replace("API", f"127.0.0.1:{api.port}").replace("EVIL", f"127.0.0.1:{evil.port}")


def header_value(text: str) -> str:
    """Remove the characters that would end a header."""
    return text.translate({10: None, 13: None, 0: None})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(template=addresses())
@example("http://EVIL\\@API/2.0/x")
@example("http://EVIL\\.API/2.0/x")
@example("http://API@EVIL/2.0/x")
@example("http://API#@EVIL/2.0/x")
@example("http://EVIL#@API/2.0/x")
@example("http://EVIL?@API/2.0/x")
@example("http://[EVIL]@API/2.0/x")
@example("//EVIL/2.0/x")
@example("\thttp://EVIL\\@API/2.0/x")
@example("http:\\\\EVIL/2.0/x")
@example("http://API/2.0/%2e%2e/x")
def test_no_other_host_receives_a_credential_or_a_body(api: WebServer, evil: WebServer, template: str) -> None:
    text = with_hosts(template, api, evil)
    api.asked.clear()
    evil.asked.clear()
    moved = Answer(status=307, headers={"Location": header_value(text)})
    api.answer("/2.0/moved", moved)
    api.answer("/2.0/post", moved)
    api.answer("/2.0/list", {"values": [], "next": text})
    client = make_client(api.api_url)
    attempt(lambda: client.get(text))
    attempt(lambda: client.post(text, {"body": "s3cret"}))
    attempt(lambda: client.get("/moved"))
    attempt(lambda: client.request("GET", "/moved", headers={"Accept": "*/*"}))
    attempt(lambda: client.post("/post", {"body": "s3cret"}))
    attempt(lambda: list(client.paginate("/list")))
    for request in evil.asked:
        assert "authorization" not in request.headers
        assert not request.body
    for request in api.asked:
        assert not request.headers.get("authorization") or request.path.startswith("/2.0"), (
            "credentials were sent outside the path of the API"
        )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(template=addresses())
@example("http://EVIL\\@API/2.0")
@example("http://EVIL\\.API/2.0")
@example("http://API/2.0\\@EVIL")
def test_credentials_are_sent_to_the_host_that_the_base_url_was_parsed_as(api: WebServer, evil: WebServer, template: str) -> None:
    api.asked.clear()
    evil.asked.clear()
    try:
        client = make_client(with_hosts(template, api, evil))
    except ValueError:
        return
    servers = {f"http://127.0.0.1:{server.port}": server for server in (api, evil)}
    if chosen := servers.pop(Address.parse(client.base_url).site, None):
        attempt(lambda: client.post("/x", {"body": "s3cret"}))
        assert chosen.asked
        assert not [asked for server in servers.values() for asked in server.asked]


@settings(max_examples=500, deadline=None)
@given(addresses() | st.text().map("http://".__add__))
def test_an_address_is_sent_as_it_was_parsed(text: str) -> None:
    try:
        address = Address.parse(text)
    except bitbucket.BitbucketError:
        return
    sent = requests.Request("GET", address.text, params={"a": "b"}).prepare()
    assert sent.url is not None
    assert Address.parse(sent.url).origin == address.origin
    assert Address.parse(sent.url).path == address.path
    assert Address.parse(address.text) == address


@pytest.mark.parametrize(
    "text",
    [
        "http://evil:1\\@api.bitbucket.org/2.0/x",
        "https://evil\\.api.bitbucket.org/2.0/x",
        "https://evil.example\n.api.bitbucket.org/2.0/x",
        "https://api.bitbucket.org/2.0/x y",
        "https://api.bitbucket.org/2.0/x\x00",
        "https://api.bitbucket.org/2.0/x\u3000",
        "https://user:pw@api.bitbucket.org/2.0/x",
        "https://user:p/pw@api.bitbucket.org/2.0/x",
        "https://@api.bitbucket.org/2.0/x",
        "https://api.bitbucket.org:99999/2.0/x",
        "https://api.bitbucket.org:port/2.0/x",
        "https://[::1/2.0/x",
        "https://\ud800.org/2.0",
        "https:///2.0/x",
        "ftp://api.bitbucket.org/2.0/x",
        "https://api.bitbucket.org/2.0/../x",
        "https://api.bitbucket.org/2.0/%2E%2e/x",
        "https://api.bitbucket.org/2.0/.%2e/x",
        "",
    ],
)
def test_an_ambiguous_address_is_refused(text: str) -> None:
    with pytest.raises(bitbucket.BitbucketError) as caught:
        Address.parse(text)
    assert "pw" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("HTTPS://API.Bitbucket.ORG/2.0/X", "https://api.bitbucket.org/2.0/X"),
        ("https://bücher.example/2.0", "https://xn--bcher-kva.example/2.0"),
        ("https://api.bitbucket.org/2.0/x?q=a%20b#fragment\\@evil", "https://api.bitbucket.org/2.0/x?q=a%20b"),
        ("https://api.bitbucket.org/2.0/%7Buuid%7D", "https://api.bitbucket.org/2.0/%7Buuid%7D"),
        ("http://[::1]:8070/2.0", "http://[::1]:8070/2.0"),
    ],
)
def test_an_address_is_normalised_before_it_is_sent(text: str, sent: str) -> None:
    assert Address.parse(text).text == sent


def test_the_default_port_may_be_explicit() -> None:
    assert ApiAddress(BITBUCKET).contains(Address.parse("https://API.bitbucket.org:443/2.0/x"))
    assert not ApiAddress(BITBUCKET).contains(Address.parse("http://api.bitbucket.org:443/2.0/x"))


@pytest.mark.parametrize("path", ["/../x", "x/../../y", "/%2e%2e/x", "a\\b", "a b", "a\nb"])
def test_a_path_outside_the_api_is_refused_without_a_request(api: WebServer, path: str) -> None:
    with pytest.raises(bitbucket.BitbucketError, match="Refused"):
        make_client(api.api_url).request("GET", path)
    assert not api.asked


@pytest.mark.parametrize(
    "host", ["https://evil\\.api.bitbucket.org", "https://api.bitbucket.org\nx", "https://a@b/2.0", "https://[x"]
)
def test_an_ambiguous_base_url_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="API base URL"):
        make_client(host)


def test_the_token_endpoint_is_on_the_host_that_the_base_url_was_parsed_as() -> None:
    consumer = OAuthConsumer("key", "secret")
    consumer.connect("HTTPS://API.Bitbucket.org:443/2.0")
    assert consumer.site == "https://bitbucket.org"
    consumer.connect("http://Proxy.example:8080/bitbucket/2.0")
    assert consumer.site == "http://proxy.example:8080"


@pytest.mark.parametrize("sent", ["/2.0/\u3042", "/2.0/%E3%81%82"])
def test_a_redirect_to_a_non_ascii_path_is_followed(api: WebServer, sent: str) -> None:
    api.answer("/2.0/old", Answer(status=301, headers={"Location": header_value(f"{api.url}{sent}")}))
    api.answer("/2.0/%E3%81%82", {"done": True})
    assert make_client(api.api_url).get("/old") == {"done": True}


class TestReverseProxy:
    """The base URL is a proxy in front of Bitbucket; links in responses still name Bitbucket."""

    def test_links_and_redirects_to_bitbucket_are_sent_to_the_proxy_only(self, api: WebServer) -> None:
        api.answer("/2.0/list", {"values": [{"id": 1}], "next": f"{BITBUCKET}/list/more?page=2&q=a%20b"})
        api.answer("/2.0/list/more", {"values": [{"id": 2}]})
        api.answer("/2.0/old", Answer(status=307, headers={"Location": f"{BITBUCKET}/new"}))
        api.answer("/2.0/new", {"done": True})
        client = make_client(api.api_url)
        assert [row["id"] for row in client.paginate("/list")] == [1, 2]
        assert client.get("/old") == client.post("/old", {"a": 1}) == {"done": True}
        assert api.asked[1].path == "/2.0/list/more?page=2&q=a%20b"
        assert all(asked.headers["authorization"] == "Bearer s3cret" for asked in api.asked)

    def test_the_path_of_the_proxy_replaces_that_of_bitbucket(self) -> None:
        proxy = ApiAddress("https://proxy.example/bitbucket")
        assert proxy.resolve(f"{BITBUCKET}/user?a=b").text == "https://proxy.example/bitbucket/user?a=b"
        assert proxy.resolve(BITBUCKET).text == "https://proxy.example/bitbucket"

    @pytest.mark.parametrize(
        "link", ["https://evil.example/2.0/x", "http://api.bitbucket.org/2.0/x", "https://api.bitbucket.org/1.0/x"]
    )
    def test_any_other_host_is_refused(self, api: WebServer, link: str) -> None:
        with pytest.raises(bitbucket.BitbucketError, match="credentials go nowhere else"):
            make_client(api.api_url).get(link)


class TestSignedAddresses:
    """A signed storage address grants access to the file, so it is treated as a secret."""

    def read_log(self, api: WebServer, storage: str, caplog: pytest.LogCaptureFixture) -> str:
        """Return everything that is logged and raised while a log is read from storage."""
        api.answer("/2.0/log", Answer(status=307, headers={"Location": f"{storage}/log?{SIGNED}"}))
        shown = ""
        with caplog.at_level(logging.DEBUG):
            try:
                make_client(api.api_url).request("GET", "/log", headers={"Accept": "*/*"})
            except bitbucket.BitbucketError as error:
                chain: list[BaseException] = [error]
                while following := [each for each in (chain[-1].__cause__, chain[-1].__context__) if each and each not in chain]:
                    chain += following
                shown = "".join("".join(traceback.format_exception(each)) + repr(each) for each in chain)
        return shown + caplog.text

    def test_debug_lines_do_not_contain_them(self, api: WebServer, evil: WebServer, caplog: pytest.LogCaptureFixture) -> None:
        shown = self.read_log(api, evil.url, caplog)
        assert evil.asked[0].path.endswith(SIGNED)
        assert '"GET /log' in shown, "the request to storage is still logged"
        assert "X-Amz" not in shown

    def test_warnings_about_malformed_headers_do_not_contain_them(
        self, api: WebServer, evil: WebServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        evil.answer("/log", Answer("the log", headers={"X-Odd": "1\r\nno colon"}))
        shown = self.read_log(api, evil.url, caplog)
        assert "Failed to parse headers" in shown
        assert "X-Amz" not in shown

    def test_http_errors_do_not_contain_them(self, api: WebServer, evil: WebServer, caplog: pytest.LogCaptureFixture) -> None:
        evil.answer("/log", Answer("no", 403))
        assert "X-Amz" not in self.read_log(api, evil.url, caplog)

    @pytest.mark.parametrize(
        "storage",
        ["http://127.0.0.1:1", "http://nowhere.invalid", "ftp://127.0.0.1", "http://x\\y", "http://x:99999", "http://[x"],
    )
    def test_tracebacks_do_not_contain_them(self, api: WebServer, caplog: pytest.LogCaptureFixture, storage: str) -> None:
        shown = self.read_log(api, storage, caplog)
        assert "Traceback" in shown
        assert "X-Amz" not in shown
