"""Report build statuses, and close those that a killed run has left in progress."""

from __future__ import annotations

import hashlib
import logging

from airflow_provider_bitbucket.client import BitbucketClient, BitbucketError
from airflow_provider_bitbucket.client.types import BuildState, BuildStatus

log = logging.getLogger(__name__)

_LONGEST_KEY = 40  # Bitbucket refuses longer ones ("Ensure this value has at most 40 characters")
_HASH_LENGTH = 40


def status_key(dag_id: str, task_id: str | None = None, map_index: int = -1) -> str:
    """Return the key of a DAG's build status, or of a task's: the same in all runs, so that a status changes in place.

    The keys of a DAG's tasks begin with the key of the DAG.

    :param task_id: None: the DAG
    :param map_index: index of a mapped task; -1: not mapped
    """
    key = f"airflow-{_digest(dag_id)}"
    if task_id is None:
        return key
    return f"{key}-{_digest(task_id if map_index < 0 else f'{task_id} {map_index}')}"


def short_key(key: str) -> str:
    """Return a key as it is, or shortened to the 40 characters that Bitbucket allows, with a hash that keeps it unique."""
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 13]}-{_digest(key)}"


def full_hash(client: BitbucketClient, repository: str, commit: str) -> str:
    """Return the full hash of a commit. Costs a request for a short one.

    :raises BitbucketNotFoundError: the commit does not exist
    """
    return commit if len(commit) == _HASH_LENGTH else str(client.commits.get(repository, commit)["hash"])


def set_build_status(
    client: BitbucketClient,
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
    """Create or overwrite the build status of a key. Costs one request, two for a short hash or a refused address.

    :param repository: slug, or ``workspace/slug``
    :param commit: hash, full or short
    :param url: address of the run. Bitbucket has refused hosts without a dot, such as ``http://airflow:8080``; the status then
        leads to the commit's page
    :raises BitbucketError: the commit does not exist, or Bitbucket refuses the status
    """
    full = full_hash(client, repository, commit)
    fields = {"key": short_key(key), "state": state, "name": name, "description": description, "refname": refname}
    try:
        return client.build_statuses.set(repository, full, url=url, **fields)  # type: ignore[arg-type]  # a dict has one type of values
    except BitbucketError as error:
        if error.status != 400 or "url" not in error.message.lower():
            raise
        log.warning("Bitbucket refuses the address %s; the status leads to the commit instead. %s", url, error.message)
    page = commit_page(client, repository, full)
    return client.build_statuses.set(repository, full, url=page, **fields)  # type: ignore[arg-type]  # likewise


def stop_unfinished(client: BitbucketClient, repository: str, commit: str, dag_id: str, run_url: str) -> list[str]:
    """Set the statuses of a run's tasks that are still in progress to STOPPED, and return their keys.

    A killed task reports nothing, and a status that stays in progress blocks merges. Costs one request for every 100 statuses
    of the commit, and one for each that is stopped.

    :param run_url: address of the run, with which those of its tasks begin
    :raises BitbucketError: as :func:`set_build_status`
    """
    pages = (f"{run_url}/", commit_page(client, repository, commit))
    stopped = []
    for status in client.build_statuses.list(repository, commit):
        key = status.get("key") or ""
        is_of_run = key.startswith(f"{status_key(dag_id)}-") and str(status.get("url")).startswith(pages)
        if is_of_run and status.get("state") == "INPROGRESS":
            client.build_statuses.update(
                repository, commit, key, state="STOPPED", url=status.get("url"), description="The run has ended."
            )
            stopped.append(key)
    return stopped


def commit_page(client: BitbucketClient, repository: str, commit: str) -> str:
    """Return the address of a commit's web page."""
    return f"{client.web_url}/{client.full_name(repository)}/commits/{commit}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
