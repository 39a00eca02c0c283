"""The hook in the hands of a task, a trigger and the test button, against the emulator."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from airflow.sdk._shared.secrets_masker import redact

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.web_server import Answer, WebServer

AUTH_TYPES = ["api_token", "access_token", "oauth_client_credentials"]


def connection(emulator: BitbucketEmulator, **changes: object) -> str:
    return json.dumps({**json.loads(connection_json(emulator)), **changes})


def line_with(words: str, message: str) -> str:
    (line,) = (line for line in message.splitlines() if words in line)
    return line


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
@pytest.mark.parametrize("form", ["json", "uri"])
def test_every_auth_type_works_from_json_and_from_a_uri(
    bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], auth_type: str, form: str
) -> None:
    fields = json.loads(connection_json(bitbucket_emulator, auth_type))
    login, password = quote(fields.get("login", ""), safe=""), quote(fields["password"], safe="")
    host = f"{bitbucket_emulator.host}:{bitbucket_emulator.port}"
    uri = f"bitbucket://{login}:{password}@{host}/http?{urlencode(fields['extra'])}"
    connect({"json": json.dumps(fields), "uri": uri}[form])

    assert BitbucketHook().get_conn().repositories.get("api")["full_name"] == "acme/api"


@pytest.mark.parametrize("auth_type", AUTH_TYPES)
def test_a_trigger_gets_a_client_without_blocking_its_loop(
    bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], auth_type: str
) -> None:
    connect(connection_json(bitbucket_emulator, auth_type))

    async def read() -> str:
        client = await BitbucketHook().aget_conn()
        repository = await asyncio.to_thread(client.repositories.get, "api")
        return str(repository["full_name"])

    assert asyncio.run(read()) == "acme/api"


def test_the_client_is_made_once(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> None:
    connect(connection_json(bitbucket_emulator))
    hook = BitbucketHook()

    assert hook.get_conn() is hook.get_conn() is asyncio.run(hook.aget_conn())


def test_the_workspace_of_the_task_wins_over_the_connections(
    bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    connect(connection_json(bitbucket_emulator, workspace="elsewhere"))

    assert BitbucketHook().get_conn().workspace == "elsewhere"
    assert BitbucketHook(workspace="acme").get_conn().workspace == "acme"


def test_a_wrong_connection_says_what_to_fill_in(connect: Callable[..., None]) -> None:
    connect('{"conn_type": "bitbucket", "password": "token-without-mail"}', "ci")

    with pytest.raises(BitbucketConfigurationError, match=r"Connection 'ci': .*needs login"):
        BitbucketHook("ci").get_conn()
    with pytest.raises(BitbucketConfigurationError, match=r"Connection 'ci': .*needs login"):
        asyncio.run(BitbucketHook("ci").aget_conn())


def test_tokens_their_basic_form_and_renewed_oauth_tokens_are_masked(
    bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    connect(connection_json(bitbucket_emulator, "oauth_client_credentials"))
    client = BitbucketHook().get_conn()
    seen = set()
    for _ in range(2):
        client.repositories.get("api")
        seen.add(client.auth.secrets()[-1])
        bitbucket_emulator.clock(advance=3 * 3600)  # the token lapses, and a new one is fetched

    shown = str(redact(f"{client.auth.secrets()} {seen}"))
    assert len(seen) == 2
    assert not any(secret in shown for secret in {*client.auth.secrets(), *seen})


class TestTestConnection:
    """The response of the test button."""

    def test_the_first_line_has_account_workspace_and_features(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        connect(connection_json(bitbucket_emulator))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert message == "Connected as Dana Demo, workspace Acme; all features available."

    @pytest.mark.parametrize("token", ["demo-access-token", "demo-repository-token"])
    def test_access_tokens_work_although_they_have_no_account(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], token: str
    ) -> None:
        connect(connection(bitbucket_emulator, password=token, extra={"workspace": "acme", "auth_type": "access_token"}))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert message.startswith("Connected by access_token (Bitbucket does not report the account), workspace ")

    def test_missing_scopes_are_named_with_what_they_switch_off(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        scopes = ["read:repository:bitbucket", "read:pipeline:bitbucket"]
        bitbucket_emulator.control(
            "POST", "credentials", {"kind": "api_token", "login": "ro@x.org", "secret": "read-only", "scopes": scopes}
        )
        connect(connection(bitbucket_emulator, login="ro@x.org", password="read-only"))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert re.match(r"Connected .*, workspace acme; \d+ of \d+ features available\.\n", message), message
        assert "write:pipeline:bitbucket" in line_with("Missing scopes", message)
        unavailable = line_with("This switches off: ", message)
        assert "start and stop pipelines" in unavailable
        assert "read pipelines and deployments" not in unavailable
        assert len(message.splitlines()) == 3

    def test_scopes_are_known_although_every_request_is_refused(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        bitbucket_emulator.credentials("api_token", "hooks-only", login="h@x.org", scopes=["read:webhook:bitbucket"])
        connect(connection(bitbucket_emulator, login="h@x.org", password="hooks-only", extra={}))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert "read:webhook:bitbucket" not in line_with("Missing scopes", message)
        assert "read:pipeline:bitbucket" in line_with("Missing scopes", message)

    def test_credentials_for_pipelines_alone_are_not_called_broken(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        scopes = ["read:pipeline:bitbucket", "write:pipeline:bitbucket"]
        bitbucket_emulator.credentials("api_token", "starter", login="s@x.org", scopes=scopes)
        connect(connection(bitbucket_emulator, login="s@x.org", password="starter"))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert "workspace acme (these scopes do not allow to check that it exists)" in message
        assert "start and stop pipelines" not in line_with("This switches off: ", message)

    def test_scopes_of_a_consumer_have_the_spelling_of_consumers(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        bitbucket_emulator.credentials("workspace_access_token", "few-scopes", workspace="acme", scopes=["account", "pipeline"])
        connect(connection(bitbucket_emulator, password="few-scopes", extra={"workspace": "acme", "auth_type": "access_token"}))
        works, message = BitbucketHook().test_connection()

        assert works, message
        assert "pipeline:write" in line_with("Missing scopes", message)
        assert ":bitbucket" not in message

    def test_unreported_scopes_are_not_guessed(self, connect: Callable[..., None]) -> None:
        with WebServer() as server:
            server.answer("/2.0/user", Answer({"display_name": "Dana", "uuid": "{1}"}))
            connect(json.dumps({"conn_type": "bitbucket", "login": "a", "password": "some-token", "host": server.api_url}))
            works, message = BitbucketHook().test_connection()

        assert works, message
        assert "Bitbucket does not report the scopes of these credentials" in message

    def test_a_wrong_workspace_is_not_reported_as_a_wrong_token(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        connect(connection_json(bitbucket_emulator, workspace="acne"))
        works, message = BitbucketHook().test_connection()

        assert not works
        assert "credentials are good, but workspace 'acne' does not exist or they have no access to it" in message

    def test_a_missing_workspace_is_reported_and_not_an_error(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        connect(connection_json(bitbucket_emulator, workspace=""))
        works, message = BitbucketHook().test_connection()

        assert works
        assert "no workspace; all features available.\nFill in the workspace" in message

    @pytest.mark.parametrize("auth_type", AUTH_TYPES)
    def test_a_bad_token_is_refused_in_plain_words(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], auth_type: str
    ) -> None:
        good = json.loads(connection_json(bitbucket_emulator, auth_type))
        connect(json.dumps({**good, "password": "a-token-that-is-wrong"}))
        works, message = BitbucketHook().test_connection()

        assert not works
        assert message.startswith("Bitbucket does not accept these credentials: ")
        assert "a-token-that-is-wrong" not in message

    def test_a_host_that_does_not_answer_is_named(self, connect: Callable[..., None]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        connect(f"bitbucket://a:b@127.0.0.1:{port}/http")
        works, message = BitbucketHook().test_connection()

        assert not works
        assert message.startswith(f"Bitbucket cannot be reached at http://127.0.0.1:{port}/2.0: ")

    def test_a_host_that_is_not_bitbucket_is_recognised(self, web_page: str, connect: Callable[..., None]) -> None:
        connect(json.dumps({"conn_type": "bitbucket", "login": "a", "password": "b", "host": web_page}))
        works, message = BitbucketHook().test_connection()

        assert not works
        assert "is not the Bitbucket API" in message

    @pytest.mark.parametrize(
        ("page", "said"),
        [
            (
                Answer("<html><title>Page not found</title></html>", 404, {"Content-Type": "text/html"}),
                "is not the Bitbucket API",
            ),
            (Answer("Not Found", 404), "is not the Bitbucket API"),
            (Answer({"errors": [{"exceptionName": "com.atlassian.bitbucket.AuthorisationException"}]}, 401), "Data Center"),
        ],
    )
    def test_a_wrong_base_url_is_no_question_of_access(self, connect: Callable[..., None], page: Answer, said: str) -> None:
        with WebServer(default=page) as server:
            connect(json.dumps({"conn_type": "bitbucket", "login": "a@b.c", "password": "some-token", "host": server.url}))
            works, message = BitbucketHook(workspace="acme").test_connection()

        assert not works
        assert said in message
        assert "https://api.bitbucket.org/2.0" in message
        assert "credentials are good" not in message

    def test_an_ip_allowlist_is_no_question_of_the_credentials(self, connect: Callable[..., None]) -> None:
        refusal = Answer({"error": {"message": "To access this repository, an admin must whitelist your IP."}}, 403)
        with WebServer(default=refusal) as server:
            server.answer("/2.0/user", Answer({"display_name": "Dana", "uuid": "{1}"}))
            connect(json.dumps({"conn_type": "bitbucket", "login": "a@b.c", "password": "some-token", "host": server.api_url}))
            works, message = BitbucketHook(workspace="acme").test_connection()

        assert not works
        assert message.startswith("The credentials are good, but not from this machine: ")
        assert "IP allowlist" in message
        assert "does not exist" not in message

    @pytest.mark.parametrize("auth_type", ["oauth", "api_token_per_user"])
    def test_where_each_user_has_credentials_the_shared_settings_are_checked(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], auth_type: str, airflow_home: Path
    ) -> None:
        connect(connection_json(bitbucket_emulator, auth_type, default_user="zoe"))
        works, message = BitbucketHook().test_connection()
        assert works
        assert "settings of the connection are valid; access depends on the user" in message
        assert {"oauth": "airflow bitbucket login", "api_token_per_user": "airflow connections add"}[auth_type] in message

    def test_a_wrong_consumer_secret_is_found_without_a_user(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]
    ) -> None:
        right = json.loads(connection_json(bitbucket_emulator, "oauth"))
        connect(json.dumps({**right, "password": "wrong"}))
        works, message = BitbucketHook().test_connection()
        assert not works
        assert "Check key and secret" in message

    def test_a_wrong_field_is_named(self, connect: Callable[..., None]) -> None:
        connect('{"conn_type": "bitbucket", "extra": {"auth_type": "oauth"}}')

        works, message = BitbucketHook().test_connection()
        assert not works
        assert message.startswith("This connection: auth type 'oauth' needs login (the key of the OAuth consumer)")

    @pytest.mark.parametrize("auth_type", ["oauth", "api_token_per_user", "access_token"])
    def test_the_random_id_that_the_test_button_uses_is_not_shown(
        self, bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], auth_type: str, airflow_home: Path
    ) -> None:
        good = json.loads(connection_json(bitbucket_emulator, auth_type, default_user="zoe"))
        for extra in ({}, {"verify": "nowhere.pem"}, {"auth_type": "basic"}):
            connect(json.dumps({**good, "extra": {**good["extra"], **extra}}), "xkqzvw")
            _, message = BitbucketHook("xkqzvw").test_connection()
            assert "xkqzvw" not in message


@pytest.fixture
def web_page() -> Iterator[str]:
    """An ordinary web server."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><title>Welcome</title></html>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
