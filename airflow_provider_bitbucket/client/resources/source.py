"""Files: read them, list directories, commit changes without a clone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import quote, urlsplit

from airflow_provider_bitbucket.client import multipart
from airflow_provider_bitbucket.client.api import Api
from airflow_provider_bitbucket.client.multipart import Part
from airflow_provider_bitbucket.client.resources.refs import Refs
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketAmbiguousError, BitbucketNotFoundError
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import CommitFile

_HASH = re.compile(r"[0-9a-f]{7,40}")
#: Control characters, and what the header of a multipart field cannot carry unchanged.
_UNSENDABLE = re.compile(r'[\x00-\x1f\x7f"\\]')


@dataclass(frozen=True)
class FileContent:
    """A file to commit.

    :param content: its bytes, stored unchanged; of a link the path that it points to
    :param attribute: ``executable`` or ``link`` (symbolic link); None: an ordinary file, also where it replaces an executable one
    """

    content: bytes
    attribute: Literal["executable", "link"] | None = None


class Source(Resource):
    """Files of a repository.

    The parameter ``ref`` is a branch, a tag or a hash; ``HEAD`` is the head of the main branch. A name with a slash costs one
    more request for a branch and two for a tag, because Bitbucket would read the part behind the slash as a path.
    """

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._refs = Refs(api)

    def read(self, repository: str, path: str, ref: str = "HEAD") -> bytes:
        """Return the content of a file of at most 64 MiB. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param path: from the root of the repository
        :param ref: branch, tag or hash
        :raises BitbucketNotFoundError: there is no such file, ref or repository, or the path is that of a directory
        :raises ValueError: the path is malformed
        """
        address = self._path("src", repository, file_path(path), ref)
        response = self._api.request("GET", address, headers={"Accept": "*/*"})
        # A file comes as an attachment (published OpenAPI, GET src/{commit}/{path}), a directory as a list.
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if is_json and "Content-Disposition" not in response.headers:
            document = response.json()
            if isinstance(document, dict) and {"values", "pagelen"} <= document.keys():
                raise BitbucketNotFoundError(f"{path!r} is a directory of {repository}; expected a file.", status=404)
        return response.content

    def meta(self, repository: str, path: str, ref: str = "HEAD") -> CommitFile:
        """Return type, size, attributes and commit of a file or directory. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param path: from the root of the repository
        :param ref: branch, tag or hash
        :raises BitbucketNotFoundError: there is no such file, ref or repository
        """
        address = self._path("src", repository, file_path(path), ref)
        return cast("CommitFile", self._api.get(address, {"format": "meta"}))

    def list(
        self, repository: str, path: str = "", ref: str = "HEAD", *, depth: int = 1, q: str | None = None
    ) -> Iterator[CommitFile]:
        """Yield the entries of a directory in git's order. Costs one request for every 100 entries.

        :param repository: slug, or ``workspace/slug``
        :param path: directory, by default the root
        :param ref: branch, tag or hash
        :param depth: levels of directories to list; a large number can make Bitbucket time out (status 555)
        :param q: BBQL condition, such as ``size > 1024``
        :raises BitbucketNotFoundError: there is no such directory, ref or repository
        """
        folder = f"{file_path(path)}/" if path.strip("/") else ""
        params = {**({"max_depth": depth} if depth != 1 else {}), **({"q": q} if q else {})}
        rows = self._api.paginate(self._path("src", repository, folder, ref), params, identity=lambda row: row.get("path"))
        return cast("Iterator[CommitFile]", rows)

    def history(self, repository: str, path: str, ref: str = "HEAD", *, follow_renames: bool = True) -> Iterator[CommitFile]:
        """Yield the versions of a file, newest first, each with its ``commit``. Costs one request for every 100 versions.

        :param repository: slug, or ``workspace/slug``
        :param path: from the root of the repository
        :param ref: branch, tag or hash to start at
        :param follow_renames: continue with the former path where the file was renamed
        """
        params = None if follow_renames else {"renames": "false"}
        rows = self._api.paginate(self._path("filehistory", repository, file_path(path), ref), params, identity=_version)
        return cast("Iterator[CommitFile]", rows)

    def commit(
        self,
        repository: str,
        files: Mapping[str, FileContent],
        *,
        deleted: Iterable[str] = (),
        message: str | None = None,
        branch: str | None = None,
        parent: str | None = None,
        author: str | None = None,
    ) -> str:
        """Commit changes of files and return the full hash of the commit. Costs one request.

        Files that are not named stay as they are. Bitbucket makes a commit even if nothing changes.

        :param repository: slug, or ``workspace/slug``
        :param files: path -> new content
        :param deleted: paths of files to delete
        :param message: None: Bitbucket writes one
        :param branch: branch that the commit goes to, created if it is new; None: the main branch
        :param parent: full hash that an existing branch must still have as its head, or that a new one starts at; None: the
            current head, which of a new branch is that of the main branch
        :param author: ``Name <e-mail>``; None: the owner of the credentials
        :raises BitbucketConflictError: the head of the branch is not ``parent``
        :raises BitbucketBadRequestError: ``parent`` does not exist
        :raises BitbucketAmbiguousError: sent, and the response was lost: the commit may have been made
        :raises ValueError: a path is malformed
        """
        metadata = {"message": message, "branch": branch, "parents": parent, "author": author}
        # A part with a filename is a file, one without is metadata (published OpenAPI, POST src).
        parts = [Part(name, value.encode()) for name, value in metadata.items() if value is not None]
        parts += [Part("files", file_path(path).encode()) for path in deleted]
        for path, file in files.items():
            name = file_path(path)
            attributes = {"x-attributes": str(file.attribute)} if file.attribute else None
            parts.append(Part(name, file.content, name.rpartition("/")[2], attributes))
        body, headers = multipart.encode(parts)
        address = f"{self._api.repository_path(repository)}/src"
        response = self._api.request("POST", address, data=body, headers=headers)
        made = urlsplit(response.headers.get("Location", "")).path.rstrip("/").rpartition("/")[2]
        if not _HASH.fullmatch(made):
            raise BitbucketAmbiguousError("Bitbucket accepted the commit but returned no hash.", status=response.status_code)
        return made

    def _path(self, operation: str, repository: str, path: str, ref: str) -> str:
        commit = segment(self._refs.hash_of(repository, ref) if "/" in ref else ref)
        return f"{self._api.repository_path(repository)}/{operation}/{commit}/{quote(path)}"


def file_path(path: str) -> str:
    """Return the path of a file from the root of its repository, without slashes at its ends.

    :raises ValueError: it cannot be a path in a repository
    """
    parts = path.strip("/").split("/")
    if not all(parts) or {".", "..", ".git"} & {part.lower() for part in parts} or _UNSENDABLE.search(path):
        raise ValueError(
            f"The path of a file is {path!r}; expected one such as 'folder/file.txt', without '..', '.git', quotes, backslashes "
            "and control characters"
        )
    return "/".join(parts)


def _version(row: dict[str, Any]) -> Any:
    return row["commit"]["hash"], row.get("path")
