"""The interface through which resources send requests."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, own_id

if TYPE_CHECKING:
    import requests


class Api(Protocol):
    """Send requests to the API and make paths of it.

    :class:`~airflow_provider_bitbucket.client.bitbucket.BitbucketClient` implements and documents it.
    """

    @property
    def web_url(self) -> str:
        """Address of the web pages."""

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        idempotent: bool | None = None,
        part: slice | None = None,
    ) -> requests.Response:
        """Send a request and return its response with a status below 400."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object at a path."""

    def get_page(self, path: str, params: Mapping[str, Any] | None = None, *, follow_next: bool = True) -> dict[str, Any]:
        """Return a page of a list."""

    def post(self, path: str, json: Any = None, *, idempotent: bool = False) -> dict[str, Any]:
        """Post JSON and return the JSON object of the response."""

    def post_yaml(self, path: str, content: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Post YAML and return the JSON object of the response."""

    def put(self, path: str, json: Any = None) -> dict[str, Any]:
        """Put JSON and return the JSON object of the response."""

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """Delete what is at a path."""

    def paginate(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        pagelen: int = LARGEST_PAGE,
        count_pages: bool = False,
        shrinking: bool = False,
        identity: Callable[[dict[str, Any]], Hashable | None] = own_id,
    ) -> Iterator[dict[str, Any]]:
        """Yield the values of a list, requesting its pages as they are needed."""

    def workspace_slug(self, workspace: str | None = None) -> str:
        """Return the slug of a workspace, by default the client's."""

    def workspace_path(self, workspace: str | None = None) -> str:
        """Return the path of a workspace, by default the client's."""

    def full_name(self, repository: str) -> str:
        """Return ``workspace/repository``."""

    def repository_path(self, repository: str) -> str:
        """Return the path of a repository."""
