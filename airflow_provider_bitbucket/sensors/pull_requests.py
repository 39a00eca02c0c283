"""Wait for the state and the review of a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_bitbucket.parameters import Templated, flag, names, number, one_of, refused, required_number
from airflow_provider_bitbucket.sensors.base import BitbucketSensor
from airflow_provider_bitbucket.sensors.parameters import head_or_hash

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters

__all__ = ["BitbucketPullRequestSensor"]

PullRequestState = Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]
STATES: tuple[str, ...] = get_args(PullRequestState)


class BitbucketPullRequestSensor(BitbucketSensor):
    """Wait until a pull request is merged, or has another state, or is reviewed.

    A final state that is not among ``states`` fails the sensor without retries (``soft_fail``: skips it), because Bitbucket
    cannot reopen a pull request. Returns ``id``, ``title``, ``state``, ``url``, ``source``, ``destination`` (branches),
    ``merge_commit`` (12 characters), ``closed_by`` and ``updated_on``.

    With any of the parameters of a review the sensor waits until all of them are met at the same poll, and returns also
    ``commit`` (the head, 12 characters), ``approved_by`` and ``changes_requested_by``: lists of ``uuid``, ``name`` and ``on``.
    The author's own approval never counts.

    :param pull_request: its number (templated)
    :param states: one or several of MERGED, DECLINED, SUPERSEDED, OPEN; default: MERGED, with a review OPEN and MERGED
    :param approvals: wait for at least so many approvals
    :param changes_requested: wait until at most so many reviewers request changes
    :param tasks_resolved: wait until no task is unresolved
    :param checks: ``"successful"``: wait until all build statuses of the head are successful, at least one
    :param at_commit: ``"head"``: approvals count only if they were given after the last push, because Bitbucket keeps them when
        commits are pushed; ``"any"``: all count; a hash: as ``"head"``, and another head fails the sensor (templated)
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    :raises ValueError: a state that does not exist, or none
    """

    template_fields = (*BitbucketSensor.template_fields, "pull_request", "at_commit")
    pull_request = Templated()
    at_commit = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "pull_request": required_number, "at_commit": head_or_hash}
    unmet = "The pull request was not as expected"

    def __init__(
        self,
        *,
        pull_request: str | int,
        states: PullRequestState | Iterable[PullRequestState] | None = None,
        approvals: int = 0,
        changes_requested: int | None = None,
        tasks_resolved: bool = False,
        checks: Literal["successful"] | None = None,
        at_commit: str = "head",
        **sensor: Unpack[SensorParameters],
    ) -> None:
        super().__init__(**sensor)
        self.pull_request = pull_request
        self.approvals = number("approvals", approvals, minimum=0) or 0
        self.changes_requested = number("changes_requested", changes_requested, minimum=0)
        self.tasks_resolved = flag("tasks_resolved", tasks_resolved)
        self.checks = None if checks is None else one_of("checks", checks, Literal["successful"])
        self.at_commit = at_commit
        self.is_review = bool(self.approvals or self.tasks_resolved or self.checks) or self.changes_requested is not None
        default = ("OPEN", "MERGED") if self.is_review else ("MERGED",)
        self.states = default if states is None else tuple(names("states", states) or ())
        if not self.states or set(self.states) - set(STATES):
            raise refused("states", states, f"one or several of {', '.join(STATES)}")

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketWaitTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger
        from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger

        if not self.is_review:
            return BitbucketPullRequestTrigger(pull_request=int(self.pull_request), states=self.states, **common)
        return BitbucketReviewTrigger(
            pull_request=int(self.pull_request),
            states=self.states,
            approvals=self.approvals,
            changes_requested=self.changes_requested,
            tasks_resolved=self.tasks_resolved,
            checks=self.checks is not None,
            at_commit=self.at_commit,
            **common,
        )
