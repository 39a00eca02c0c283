"""The base of all resources."""

from __future__ import annotations

from airflow_provider_bitbucket.client.api import Api


class Resource:
    """A part of the API.

    :param api: sends the requests
    """

    def __init__(self, api: Api) -> None:
        self._api = api
