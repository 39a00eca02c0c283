"""The emulator's state and its switches.

One event loop serves all requests and every handler is ``async`` without awaiting in the middle of a change, so nothing
here needs a lock. Times are aware UTC datetimes, ids have Bitbucket's form (uuids with braces).
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bitbucket_cloud_emulator.core.clock import Clock
from bitbucket_cloud_emulator.oauth.models import Code, Consumer, Login
from bitbucket_cloud_emulator.pull_requests.models import MergeTask
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Credential, User
from bitbucket_cloud_emulator.workspaces.models import Workspace


@dataclass
class Settings:
    """Switches: behaviours on which sources disagree, and limits."""

    rate_limit: int | None = None  # requests per rolling emulated hour and credential; None: no limit
    retry_after: str | None = None  # None | "seconds" | "date": Retry-After of a 429; never recorded on the live API
    pipelines_next_drops_sort: bool = True  # seen for years on the live API
    pipelines_need_trailing_slash: bool = False  # reports differ: without the slash 404, or both work
    closed_on_in_list: bool = True  # undocumented: fields=+values.closed_on works, or is ignored
    activity_feed_ends_early: int | None = None  # the repository-wide feed shows only so many entries
    approvals_move_updated_on: bool = True  # not recorded: whether approving moves a pull request's updated_on
    commit_links_app: bool = True  # commit/{c}/pullrequests needs an app to be installed, or answers 404
    sorted_states_fail: bool = False  # sort with several states: a lasting 500, as seen on large repositories
    unchanged_commit_fails: bool = False  # not recorded: a commit of files as they are is made, or refused
    delete_of_missing_file_fails: bool = False  # not recorded: a deleted path that does not exist is ignored, or refused
    free_plan: bool = False  # downloads answer 402 on the Free plan
    build_urls_need_a_dot: bool = False  # reports of 2018 differ: a build status with http://host:8080/ is refused, or accepted
    environment_changes_take_effect: bool = True  # reported in 2023: accepted with 202 and never applied
    schedules_limit: int = 10  # of a repository; not documented, 5 in 2018
    put_clears_what_is_not_sent: bool = False  # reports differ: a PUT of a pull request clears absent reviewers and description
    access_tokens_approve: bool = True  # not recorded: whether an access token may approve a pull request
    merge_queue: str | None = None  # every branch has a merge queue, which answers a merge with this status: 200 or 202
    merge_queue_seconds: int = 60  # emulated seconds of the build in the merge queue
    merge_queue_fails: bool = False  # this build fails: the pull request leaves the queue and stays open
    access_token_seconds: int = 7200
    oauth_scope_key: str = "scope"  # "scope" since 2026-05-04, "scopes" before
    rotate_refresh_tokens: bool = True  # since 2026-05-04 each refresh gives a new refresh token and kills the old one
    strict_refresh_reuse: bool = False  # a killed refresh token that is used again revokes the whole login (RFC 9700, 4.14.2)
    refused_refresh_error: str = "invalid_request"  # as recorded; RFC 6749 has "invalid_grant"


class State:
    """The whole state, filled by a seed.

    :param seed: the number all ids and stories are drawn from
    :param clock: the emulator's time
    """

    def __init__(self, seed: int = 1, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.random = random.Random(seed)
        self.settings = Settings()
        self.users: dict[str, User] = {}  # by uuid
        self.workspaces: dict[str, Workspace] = {}  # by slug
        self.credentials: list[Credential] = []
        self.consumers: dict[str, Consumer] = {}  # by key
        self.codes: dict[str, Code] = {}  # unused OAuth authorization codes, by code
        self.logins: list[Login] = []
        self.merge_tasks: dict[str, MergeTask] = {}  # by task id
        self.request_times: dict[str, deque[datetime]] = {}  # by secret: requests of the last hour
        self._counters: dict[str, int] = {}

    def uuid(self) -> str:
        """A new uuid in Bitbucket's form, with braces."""
        return "{" + str(uuid.UUID(int=self.random.getrandbits(128), version=4)) + "}"

    def hash(self) -> str:
        """A new 40-character commit hash."""
        return f"{self.random.getrandbits(160):040x}"

    def number(self, of: str) -> int:
        """The next number of a sequence (comment ids, request ids, ...), starting at 1."""
        self._counters[of] = self._counters.get(of, 0) + 1
        return self._counters[of]

    def continue_at(self, of: str, number: int) -> None:
        """Let a sequence continue with this number."""
        self._counters[of] = number - 1

    def repositories(self) -> Iterator[Repository]:
        """All repositories of all workspaces."""
        for workspace in self.workspaces.values():
            yield from workspace.repositories.values()
