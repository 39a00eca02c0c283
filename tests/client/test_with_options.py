"""A client made by ``with_options`` shares connections, credentials and request budget with the original client."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket.client import (
    NO_RETRIES,
    BitbucketClient,
    BitbucketConnectionError,
    BitbucketServerError,
    OAuthClientCredentials,
)
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer


@pytest.fixture
def client(server: WebServer, time: Time) -> BitbucketClient:
    """A client whose credentials require a request to the token endpoint."""
    server.answer("/site/oauth2/access_token", {"access_token": "a", "expires_in": 7200})
    server.answer("/2.0/user", {"display_name": "Me"})
    return BitbucketClient(OAuthClientCredentials("key", "secret"), "acme", server.api_url, clock=time.clock)


def test_two_clients_use_one_token_one_connection_and_one_budget(client: BitbucketClient, server: WebServer) -> None:
    sent_before = client.budget.sent
    client.users.me()
    other = client.with_options(retries=NO_RETRIES, timeout=(5.0, 15.0))
    other.users.me()

    assert [asked.path for asked in server.asked] == ["/site/oauth2/access_token", "/2.0/user", "/2.0/user"]
    assert server.asked[1].client_port == server.asked[2].client_port
    assert (other.auth, other.budget, other.workspace) == (client.auth, client.budget, "acme")
    assert client.budget.sent - sent_before == 2


def test_options_apply_to_the_new_client_only(client: BitbucketClient, server: WebServer) -> None:
    server.answer("/2.0/user", Answer(status=503), {"display_name": "Me"})
    impatient = client.with_options(retries=NO_RETRIES)
    with pytest.raises(BitbucketServerError):
        impatient.users.me()
    server.answer("/2.0/user", Answer(status=503), {"display_name": "Me"})
    assert client.users.me() == {"display_name": "Me"}


def test_options_that_are_not_given_are_kept(client: BitbucketClient, server: WebServer) -> None:
    impatient = client.with_options(retries=NO_RETRIES).with_options(timeout=(5.0, 15.0))
    server.answer("/2.0/user", Answer(cut=5), {"display_name": "Me"})
    with pytest.raises(BitbucketConnectionError):
        impatient.users.me()
