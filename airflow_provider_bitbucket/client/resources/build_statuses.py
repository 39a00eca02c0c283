"""Build statuses of commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import BuildState, BuildStatus


class BuildStatuses(Resource):
    """Build statuses of a commit, which pull requests and branches that contain it show. None can be deleted."""

    def list(self, repository: str, commit: str, *, refname: str | None = None) -> Iterator[BuildStatus]:
        """Yield the build statuses of a commit. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short
        :param refname: only those that were reported for this branch or tag
        """
        params = None if refname is None else {"refname": refname}
        return cast("Iterator[BuildStatus]", self._api.paginate(self._path(repository, commit), params))

    def get(self, repository: str, commit: str, key: str) -> BuildStatus:
        """Return the build status with a key.

        :raises BitbucketNotFoundError: the commit has none
        """
        return cast("BuildStatus", self._api.get(f"{self._path(repository, commit)}/build/{segment(key)}"))

    def set(
        self,
        repository: str,
        commit: str,
        *,
        key: str,
        state: BuildState,
        url: str,
        name: str | None = None,
        description: str | None = None,
        refname: str | None = None,
    ) -> BuildStatus:
        """Create or overwrite the build status with this key. Costs one request.

        Bitbucket overwrites a key that exists (the operation's text in the published OpenAPI; recorded as 200 in place of 201),
        so the request is repeated when its response was lost.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short; it need not be the head of a branch
        :param key: identity of the status within the commit, at most 40 characters
        :param state: SUCCESSFUL, FAILED, INPROGRESS or STOPPED; INPROGRESS can block the merge of a pull request
        :param url: absolute address of the build, which Bitbucket requires
        :param name: title; None: Bitbucket shows the key
        :param description: a sentence
        :param refname: branch or tag; its pull requests alone show the status. None: all that contain the commit
        :raises BitbucketNotFoundError: the repository or commit does not exist
        :raises BitbucketError: Bitbucket refuses the status (400), for example because of a key with more than 40 characters
        """
        optional = {"name": name, "description": description, "refname": refname}
        body = {
            "key": key,
            "state": state,
            "url": url,
            **{field: value for field, value in optional.items() if value is not None},
        }
        return cast("BuildStatus", self._api.post(f"{self._path(repository, commit)}/build", body, idempotent=True))

    def update(
        self,
        repository: str,
        commit: str,
        key: str,
        *,
        state: BuildState,
        url: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> BuildStatus:
        """Change a build status that exists; None leaves a field as it is. Costs one request.

        :raises BitbucketNotFoundError: the commit has no status with this key
        """
        optional = {"url": url, "name": name, "description": description}
        # key and state are required by the published schema, also where nothing but the description changes.
        body = {"key": key, "state": state, **{field: value for field, value in optional.items() if value is not None}}
        return cast("BuildStatus", self._api.put(f"{self._path(repository, commit)}/build/{segment(key)}", body))

    def _path(self, repository: str, commit: str) -> str:
        return f"{self._api.repository_path(repository)}/commit/{segment(commit)}/statuses"
