"""Downloads: files that are kept beside a repository, not in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from airflow_provider_bitbucket.client import multipart
from airflow_provider_bitbucket.client.multipart import Part
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Download

_PIECE_BYTES = 1024 * 1024


class Downloads(Resource):
    """Downloads of a repository, by file name. Workspaces of the free plan have none (402, seen on the live API, 2026-05)."""

    def list(self, repository: str) -> Iterator[Download]:
        """Yield the downloads. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        """
        return cast("Iterator[Download]", self._api.paginate(self._path(repository), identity=lambda row: row.get("name")))

    def read(self, repository: str, name: str) -> Iterator[bytes]:
        """Yield the content of a download in pieces, so that its size does not matter. Costs one request.

        Bitbucket redirects to storage on another host, which receives no credentials.

        :param repository: slug, or ``workspace/slug``
        :param name: file name
        :raises BitbucketNotFoundError: there is no such download or repository
        """
        address = f"{self._path(repository)}/{segment(name)}"
        with self._api.request("GET", address, headers={"Accept": "*/*"}, stream=True) as response:
            yield from response.iter_content(_PIECE_BYTES)

    def upload(self, repository: str, files: Mapping[str, bytes]) -> None:
        """Upload files; those of the same names are replaced, so it is sent again when the response was lost.

        Costs one request. The files are held in memory.

        :param repository: slug, or ``workspace/slug``
        :param files: file name -> content
        :raises ValueError: a name is empty or contains a slash
        """
        for name in files:
            if not name or set(name) & set('/\\"\r\n\0'):
                raise ValueError(f"The name of a download is {name!r}; expected a file name without slashes and quotes")
        body, headers = multipart.encode(Part("files", content, name) for name, content in files.items())
        self._api.request("POST", self._path(repository), data=body, headers=headers, idempotent=True)

    def delete(self, repository: str, name: str) -> None:
        """Delete a download.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(f"{self._path(repository)}/{segment(name)}")

    def _path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/downloads"
