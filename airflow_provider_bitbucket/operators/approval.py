"""Ask the reviewers of a pull request for a decision."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import SkipMixin

from airflow_provider_bitbucket.exceptions import BitbucketApprovalTimeoutError, BitbucketLostError, BitbucketRejectedError
from airflow_provider_bitbucket.links import BitbucketPullRequestLink, push_pull_request
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.operators.pull_requests import MergeStrategy, reviewers_of
from airflow_provider_bitbucket.parameters import (
    Kind,
    Templated,
    check_serializable,
    flag,
    name,
    name_if_given,
    normalize,
    number,
    one_of,
    required_number,
    seconds,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.client.types import PullRequest
    from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger
    from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent

__all__ = ["BitbucketApprovalOperator"]

#: Ten years; Airflow's database cannot store an infinite deadline.
_NO_TIMEOUT = 10 * 365 * 24 * 3600.0


class BitbucketApprovalOperator(BitbucketRepositoryOperator, SkipMixin):
    """Open or take a pull request, and wait deferred until its reviewers approve or reject it.

    Approved: enough people other than the author have approved since the last push and none requests changes, or it was merged.
    Rejected: a reviewer requests changes, or it is declined; then downstream tasks are skipped, as after Airflow's
    ``ApprovalOperator``.

    **Under retry** there is one open pull request between the branches, a decision that was made is found again, and the pull
    request is merged once.

    XCom: ``pull_request_url``, and as return value ``chosen_options`` (``["Approve"]`` or ``["Reject"]``), ``params_input``
    (empty), ``responded_at`` and ``responded_by_user`` (``id``, ``name``) of the last who decided, and ``pull_request``, as
    :class:`~airflow_provider_bitbucket.sensors.pull_requests.BitbucketPullRequestSensor` returns it.

    :param pull_request: number of an open pull request; exactly one of ``pull_request`` and ``source`` is given (templated)
    :param source: branch with the change, for which a pull request is opened or updated (templated)
    :param title: its title; needed with ``source`` (templated)
    :param destination: branch that is to get the change; default: the main branch (templated)
    :param description: description in Markdown (templated)
    :param reviewers: as for :class:`~airflow_provider_bitbucket.operators.pull_requests.BitbucketCreatePullRequestOperator`
    :param approvals: number of approvals that are needed
    :param merge: merge the pull request once it is approved
    :param merge_strategy: default: a merge commit
    :param fail_on_reject: fail the task, without retries, instead of skipping downstream tasks
    :param ignore_downstream_trigger_rules: skip all downstream tasks, not only the direct ones
    :param response_timeout: seconds, or ``timedelta``, until the task fails without a decision; None: it waits without limit
    :param poll_interval: seconds between two polls; tasks that wait in the same repository share them
    :param operator: ``repository`` and the connection, as for
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketRepositoryOperator`
    :raises BitbucketRejectedError: it is rejected, and ``fail_on_reject`` is set
    :raises BitbucketApprovalTimeoutError: there is no decision after ``response_timeout``
    """

    APPROVE: ClassVar[str] = "Approve"
    REJECT: ClassVar[str] = "Reject"
    inherits_from_skipmixin = True
    template_fields: Sequence[str] = (
        *BitbucketRepositoryOperator.template_fields,
        *("pull_request", "source", "destination", "title", "description", "reviewers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"description": "md"}
    operator_extra_links = (BitbucketPullRequestLink(),)
    pull_request = Templated()
    source = Templated()
    destination = Templated()
    title = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "pull_request": number,
        "source": name_if_given,
        "destination": name_if_given,
        "title": name_if_given,
        "description": name,
        "reviewers": reviewers_of,
    }

    def __init__(
        self,
        *,
        pull_request: int | str | None = None,
        source: str | None = None,
        title: str | None = None,
        destination: str | None = None,
        description: str | None = None,
        reviewers: str | Sequence[str] | None = None,
        approvals: int = 1,
        merge: bool = False,
        merge_strategy: MergeStrategy | None = None,
        fail_on_reject: bool = False,
        ignore_downstream_trigger_rules: bool = False,
        response_timeout: float | timedelta | None = None,
        poll_interval: float = 60,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        if (pull_request is None) == (source is None) or (source is not None and title is None):
            raise ValueError(f"{self.task_id}: give either pull_request, or source and title")
        self.pull_request = pull_request
        self.source = source
        self.title = title
        self.destination = destination
        self.description = description
        self.reviewers = reviewers
        self.approvals = required_number("approvals", approvals)
        self.merge = flag("merge", merge)
        self.merge_strategy = None if merge_strategy is None else one_of("merge_strategy", merge_strategy, MergeStrategy)
        self.fail_on_reject = flag("fail_on_reject", fail_on_reject)
        self.ignore_downstream_trigger_rules = flag("ignore_downstream_trigger_rules", ignore_downstream_trigger_rules)
        self.response_timeout = None if response_timeout is None else seconds("response_timeout", response_timeout)
        self.poll_interval = seconds("poll_interval", poll_interval)

    def trigger(self, pull_request: int) -> BitbucketReviewTrigger:
        """Return the trigger that waits for the decision about a pull request."""
        from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger

        return BitbucketReviewTrigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            pull_request=pull_request,
            approvals=self.approvals,
            changes_requested=0,
            is_rejectable=True,
            poll_interval=self.poll_interval,
            deadline=time.time() + (self.response_timeout or _NO_TIMEOUT),
            run_as=self.hook.acting_user(),
        )

    def perform(self, context: Context) -> Any:
        """Open or take the pull request, and wait for the decision."""
        from airflow_provider_bitbucket.triggers.blocking import BlockingWait

        check_serializable(self.trigger(1))  # a task that cannot be deferred must not open a pull request
        pull_request = self._take()
        push_pull_request(context, {"id": pull_request["id"], "url": pull_request["links"]["html"]["href"]})
        trigger = self.trigger(int(pull_request["id"]))
        client = self.hook.get_conn("none")
        wait = BlockingWait(trigger, client, self.log)
        if event := wait.poll():
            return self._conclude(context, event)
        trigger = trigger.replace(last_reported=wait.condition.last_reported)
        return self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Continue after the wait in the triggerer; returns and raises as :meth:`perform`."""
        from airflow_provider_bitbucket.triggers.blocking import poll_after_deadline
        from airflow_provider_bitbucket.triggers.wait_condition import checked_event

        normalize(self, self.parameter_kinds)
        ended = checked_event(event)
        if ended["status"] == "timeout":
            client = self.hook.get_conn("none")
            ended = poll_after_deadline(self.trigger(ended["found"]["id"]), client, self.log) or ended
        return self._conclude(context, ended)

    def _take(self) -> PullRequest:
        from airflow_provider_bitbucket.changes.pull_requests import propose

        client = self.hook.get_conn()
        if self.pull_request is not None:
            return client.pull_requests.get(self.repository, self.pull_request)
        given = {
            "title": self.title,
            "destination": self.destination,
            "description": self.description,
            "reviewers": self.reviewers,
        }
        fields: Any = {field: value for field, value in given.items() if value is not None}
        return propose(client, self.repository, source=self.source, **fields)

    def _conclude(self, context: Context, event: WaitEvent) -> Any:
        found = event["found"]
        if event["status"] == "timeout":
            raise BitbucketApprovalTimeoutError(f"No decision within {self.response_timeout:.0f} s. {event['message']}")
        if event["status"] == "lost":
            raise BitbucketLostError(event["message"])
        is_approved = event["status"] == "succeeded" or found["state"] == "MERGED"
        if is_approved and self.merge:
            found = {**found, **self._merge(found["id"])}
        response = _response(self.APPROVE if is_approved else self.REJECT, found)
        if is_approved:
            self.log.info("Approved by %s. %s", response["responded_by_user"]["name"], event["message"])
            return response
        if self.fail_on_reject:
            raise BitbucketRejectedError(f"Rejected. {event['message']}")
        self.log.info("Rejected. Skipping downstream tasks. %s", event["message"])
        context["ti"].xcom_push(key="return_value", value=response)  # before Airflow ends the task to skip the others
        tasks = (
            context["task"].get_flat_relatives if self.ignore_downstream_trigger_rules else context["task"].get_direct_relatives
        )
        self.skip(ti=context["ti"], tasks=[task for task in tasks(upstream=False) if not task.is_teardown])
        return response

    def _merge(self, pull_request: int) -> dict[str, Any]:
        from airflow_provider_bitbucket.changes.merge import Merge
        from airflow_provider_bitbucket.changes.pull_requests import summary

        fields: Any = {"merge_strategy": self.merge_strategy} if self.merge_strategy else {}
        return summary(Merge(self.hook.get_conn(), self.repository, pull_request, fields).once())


def _response(option: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the decision in the shape of Airflow's ``ApprovalOperator``: of several people, the last one."""
    people = found["approved_by" if option == BitbucketApprovalOperator.APPROVE else "changes_requested_by"]
    closed = {"uuid": None, "name": found["closed_by"], "on": found["updated_on"]}  # merged or declined without a review
    last = max(people, key=lambda one: str(one["on"]), default=closed)
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": last["on"],
        "responded_by_user": {"id": last["uuid"], "name": last["name"]},
        "pull_request": found,
    }
