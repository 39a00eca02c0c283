"""Merge a pull request once, and wait until it is merged."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from airflow_provider_bitbucket.client import (
    BitbucketAmbiguousError,
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketConflictError,
    BitbucketError,
)
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.types import MergeFields, PullRequest
from airflow_provider_bitbucket.exceptions import BitbucketMergeError, BitbucketPullRequestClosedError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MergePolicy:
    """How long to wait for a merge.

    :param first_poll_seconds: pause before the first poll; it doubles up to ``poll_seconds``, because most merges are short
    :param poll_seconds: longest pause between two polls
    :param timeout_seconds: how long to wait for checks, a long merge and the merge queue together
    :param requests: how many times the merge is requested, if an answer is lost or a branch moves meanwhile
    :param settle_polls: polls after a lost answer or a timeout (555) before the merge is requested again, because it may still
        be in progress
    """

    first_poll_seconds: float = 1.0
    poll_seconds: float = 10.0
    timeout_seconds: float = 3600.0
    requests: int = 3
    settle_polls: int = 3


class Merge:
    """Merges a pull request, unless an earlier attempt has merged it or put it into the merge queue.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param number: of the pull request
    :param fields: how to merge
    :param wait_for_checks: merge only when all build statuses of the head are successful, at least one
    :param policy: how long to wait
    :param clock: source of time; default: the system's
    """

    def __init__(
        self,
        client: BitbucketClient,
        repository: str,
        number: int,
        fields: MergeFields,
        *,
        wait_for_checks: bool = False,
        policy: MergePolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._repository = repository
        self._number = number
        self._fields = fields
        self._wait_for_checks = wait_for_checks
        self._policy = policy or MergePolicy()
        self._clock = clock
        self._next_pause = min(self._policy.first_poll_seconds, self._policy.poll_seconds)
        self._deadline = clock.monotonic() + self._policy.timeout_seconds

    def once(self) -> PullRequest:
        """Merge and return the merged pull request; one that is merged already is returned as it is.

        Costs four requests if nothing takes long, and two for each further poll.

        :raises BitbucketPullRequestClosedError: it is declined or superseded
        :raises BitbucketMergeError: a check failed, it left the merge queue, or the time is up
        :raises BitbucketError: Bitbucket refuses the merge, for example because of conflicts
        """
        pull_request = self._read()
        if not pull_request.get("queued") and self._wait_for_checks:
            pull_request = self._wait_until_checked(pull_request)
        requests = 0
        while pull_request["state"] != "MERGED":
            try:
                requests += 1
                return self._wait_until_merged(None if pull_request.get("queued") else self._request())
            except (BitbucketAmbiguousError, BitbucketConflictError, BitbucketBadRequestError) as error:
                pull_request = self._read_after(error)
                is_unchanged = pull_request["state"] == "OPEN" and not pull_request.get("queued")
                if is_unchanged and (isinstance(error, BitbucketBadRequestError) or requests >= self._policy.requests):
                    raise
        return pull_request

    def _request(self) -> str | None:
        """Request the merge and return the task of one that takes longer."""
        log.info("Merging pull request #%s.", self._number)
        return self._client.pull_requests.merge(self._repository, self._number, **self._fields).task

    def _read(self) -> PullRequest:
        """Return the pull request, open or merged."""
        pull_request = self._client.pull_requests.get(self._repository, self._number)
        if pull_request["state"] not in ("OPEN", "MERGED"):
            raise BitbucketPullRequestClosedError(
                f"Pull request #{self._number} is {pull_request['state']} and cannot be merged. {self._url(pull_request)}"
            )
        return pull_request

    def _read_after(self, error: BitbucketError) -> PullRequest:
        """Return the pull request after a request that failed; after an ambiguous one as soon as its effect shows."""
        pull_request = self._read()
        if isinstance(error, BitbucketBadRequestError):
            return pull_request
        log.warning("Checking whether pull request #%s was merged nevertheless. %s", self._number, error)
        for _ in range(self._policy.settle_polls):
            if pull_request["state"] == "MERGED" or pull_request.get("queued"):
                break
            self._pause("the effect of the merge request")
            pull_request = self._read()
        return pull_request

    def _wait_until_merged(self, task: str | None) -> PullRequest:
        """Wait for a long merge and for the merge queue.

        :param task: of a long merge. A task that Bitbucket does not know stays PENDING, so the pull request is read as well
        """
        was_queued = False
        while True:
            if task is not None:
                status = self._client.pull_requests.merge_status(self._repository, self._number, task)
                task = None if status.get("task_status") == "SUCCESS" else task
            pull_request = self._read()
            if pull_request["state"] == "MERGED":
                return pull_request
            is_queued = bool(pull_request.get("queued"))
            if is_queued and not was_queued:
                log.info("Pull request #%s is in the merge queue. %s", self._number, self._url(pull_request))
            if was_queued and not is_queued:
                # The queue removes a pull request whose build fails; it stays open.
                raise BitbucketMergeError(f"Pull request #{self._number} left the merge queue. {self._url(pull_request)}")
            was_queued = is_queued
            self._pause("the merge queue" if is_queued else "the merge")

    def _wait_until_checked(self, pull_request: PullRequest) -> PullRequest:
        """Wait until the build statuses of the head, which may move meanwhile, are successful."""
        while pull_request["state"] == "OPEN":
            states = self._check_states(pull_request)
            if failed := [key for key, state in states.items() if state in ("FAILED", "STOPPED")]:
                raise BitbucketMergeError(
                    f"Pull request #{self._number} is not merged, because of failed checks: {', '.join(failed)}. "
                    f"{self._url(pull_request)}"
                )
            if states and all(state == "SUCCESSFUL" for state in states.values()):
                break
            self._pause(f"checks ({', '.join(key for key, state in states.items() if state != 'SUCCESSFUL') or 'none yet'})")
            pull_request = self._read()
        return pull_request

    def _check_states(self, pull_request: PullRequest) -> dict[str, str]:
        """Return the state of each build status of the head by its key."""
        source = pull_request.get("source") or {}
        repository = str((source.get("repository") or {}).get("full_name") or self._repository)
        head = str((source.get("commit") or {}).get("hash"))
        rows = sorted(self._client.build_statuses.list(repository, head), key=lambda row: str(row.get("updated_on")))
        return {str(row["key"]): str(row["state"]) for row in rows}

    def _pause(self, subject: str) -> None:
        """Wait for the next poll.

        :raises BitbucketMergeError: the time is up
        """
        seconds = self._next_pause
        self._next_pause = min(2 * seconds, self._policy.poll_seconds)
        if self._clock.monotonic() + seconds > self._deadline:
            raise BitbucketMergeError(
                f"Pull request #{self._number} was not merged within {self._policy.timeout_seconds:.0f} s; "
                f"timed out waiting for {subject}. It may still be merged; a retry continues to wait."
            )
        self._clock.sleep(seconds)

    @staticmethod
    def _url(pull_request: PullRequest) -> str:
        return str((pull_request.get("links") or {}).get("html", {}).get("href") or "")
