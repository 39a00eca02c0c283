"""A DAG bundle whose DAGs are in a repository on Bitbucket, read with the credentials of a Bitbucket connection."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import Connection, mask_secret
from airflow.providers.git.bundles.git import GitDagBundle
from airflow.providers.git.hooks.git import GitHook

from airflow_provider_bitbucket.bundles.repository_names import repository_name
from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.connection import PER_USER, auth_type_of

__all__ = ["BitbucketDagBundle"]


class BitbucketDagBundle(GitDagBundle):
    """Load DAGs from a repository on Bitbucket with the credentials of a Bitbucket connection.

    Everything that Airflow's git bundle does, without its configuration: the user name that git needs for each kind of token is
    filled in, and a token of OAuth client credentials is obtained whenever git needs one, not once. The token is passed to git by
    a credential helper and is written to no file. Links to the DAGs' source lead to Bitbucket's pages.

    Configured in ``[dag_processor] dag_bundle_config_list``; ``airflow bitbucket bundle check`` reports why one does not load.

    :param repository: ``workspace/repository``, ``repository`` (of the connection's workspace) or a clone URL
    :param tracking_ref: branch, tag or commit
    :param bitbucket_conn_id: connection of type ``bitbucket``, of auth type ``api_token``, ``access_token`` or
        ``oauth_client_credentials``: a bundle is read without a person
    :param subdir: directory of the repository in which the DAGs are
    :param kwargs: the other parameters of Airflow's git bundle, such as ``submodules`` and ``sparse_dirs``
    :raises ValueError: ``repository`` is malformed
    :raises BitbucketConfigurationError: names the connection and the field that is missing or wrong
    """

    def __init__(
        self,
        *,
        repository: str,
        tracking_ref: str,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        subdir: str | None = None,
        **kwargs: Any,
    ) -> None:
        hook = _BitbucketGitHook(bitbucket_conn_id, repository)
        super().__init__(
            tracking_ref=tracking_ref, subdir=subdir, git_conn_id=bitbucket_conn_id, repo_url=hook.repo_url, **kwargs
        )
        self.hook = hook

    def view_url_template(self) -> str:
        """Return the address of the DAGs on Bitbucket, with ``{version}`` for the commit."""
        source = f"{str(self.repo_url).removesuffix('.git')}/src/{{version}}"
        return f"{source}/{self.subdir.strip('/')}" if self.subdir else source


class _BitbucketGitHook(GitHook):
    """Airflow's git hook with the address and the credentials of a Bitbucket connection."""

    def __init__(self, bitbucket_conn_id: str, repository: str) -> None:
        self._bitbucket_conn_id = bitbucket_conn_id
        bitbucket = self._bitbucket()
        url = f"{bitbucket.get_conn().web_url}/{bitbucket.full_name(repository_name(repository))}.git"
        super().__init__(bitbucket_conn_id, repo_url=url)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return a git connection without credentials: the base class looks for its own fields, such as SSH keys, in it."""
        return Connection(conn_id=conn_id, conn_type="git")

    @contextmanager
    def configure_hook_env(self) -> Generator[None]:
        """Pass git a token that is valid now.

        The connection is read again each time, because a DAG processor runs for weeks, and its token may be replaced meanwhile.
        """
        self.user_name, self.auth_token = self._bitbucket().get_conn().auth.git_login()
        mask_secret(self.auth_token)
        with super().configure_hook_env():
            yield

    def _bitbucket(self) -> BitbucketHook:
        bitbucket = BitbucketHook(self._bitbucket_conn_id)
        auth_type = auth_type_of(bitbucket.get_connection(self._bitbucket_conn_id))
        if auth_type in PER_USER:
            raise BitbucketConfigurationError(
                f"Connection {self._bitbucket_conn_id!r} is of auth type {auth_type!r}, whose credentials belong to people. A "
                "DAG bundle is read without a person: use a connection of auth type api_token, access_token or "
                "oauth_client_credentials."
            )
        return bitbucket
