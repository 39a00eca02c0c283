"""What all resources share: the client they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client.bitbucket import BitbucketClient


class Resource:
    """A part of the API.

    :param client: sends the requests
    """

    def __init__(self, client: BitbucketClient) -> None:
        self._client = client
