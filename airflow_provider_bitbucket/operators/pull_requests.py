"""Open, change, review, merge and decline pull requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_bitbucket.links import BitbucketPullRequestLink, push_pull_request
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import (
    Kind,
    Templated,
    flag,
    name,
    name_if_given,
    names,
    one_of,
    required_name,
    required_number,
    seconds,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "BitbucketCreatePullRequestOperator",
    "BitbucketDeclinePullRequestOperator",
    "BitbucketMergePullRequestOperator",
    "BitbucketPullRequestOperator",
    "BitbucketReviewPullRequestOperator",
    "BitbucketUpdatePullRequestOperator",
]

MergeStrategy = Literal["merge_commit", "squash", "fast_forward", "squash_fast_forward", "rebase_fast_forward", "rebase_merge"]
Review = Literal["approve", "unapprove", "request_changes", "withdraw_request"]
_UUID = re.compile(r"\{[0-9a-fA-F-]{36}\}")


def reviewers_of(parameter: str, value: Any) -> list[str] | None:
    """Return names of reviewers, of which a uuid in braces is not read as a mapping; None if they are left out.

    :raises ValueError: as :func:`~airflow_provider_bitbucket.parameters.names`
    """
    is_uuid = isinstance(value, str) and _UUID.fullmatch(value.strip())
    return [value.strip()] if is_uuid else names(parameter, value)


class BitbucketCreatePullRequestOperator(BitbucketRepositoryOperator):
    """Open a pull request, or update the open one between the same branches.

    **Under retry** there is one open pull request between the two branches, also after a lost answer or a kill at any point:
    the task searches before it opens one, and again before it repeats a request whose answer was lost. An update replaces the
    title, the description and ``close_source_branch``, adds missing reviewers and removes none.

    XCom: ``pull_request_url`` and ``id``, which other tasks take as ``task.output["id"]``; as return value ``id``, ``title``,
    ``state``, ``draft``, ``url``, ``source``, ``destination``, ``merge_commit``, ``closed_by`` and ``updated_on``.

    :param source: branch with the change (templated)
    :param title: title (templated)
    :param destination: branch that is to get the change; default: the repository's main branch (templated)
    :param description: description in Markdown (templated)
    :param reviewers: nicknames, display names, e-mail addresses (which Bitbucket searches for administrators alone), uuids,
        account ids, or ``"default"``: the default reviewers of repository and project without the author, which Bitbucket does
        not add by itself (templated)
    :param draft: open it as a draft; one that is open already is left as it is
    :param close_source_branch: delete the source branch after the merge; None: leave it to the pull request
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: a parameter is malformed, or a reviewer is no member of the workspace
    :raises BitbucketError: Bitbucket refused, for example because there is no difference between the branches
    """

    template_fields: Sequence[str] = (
        *BitbucketRepositoryOperator.template_fields,
        *("source", "destination", "title", "description", "reviewers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"description": "md"}
    operator_extra_links = (BitbucketPullRequestLink(),)
    source = Templated()
    destination = Templated()
    title = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "source": required_name,
        "destination": name_if_given,
        "title": required_name,
        "description": name,
        "reviewers": reviewers_of,
    }

    def __init__(
        self,
        *,
        source: str,
        title: str,
        destination: str | None = None,
        description: str | None = None,
        reviewers: str | Sequence[str] | None = None,
        draft: bool = False,
        close_source_branch: bool | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.source = source
        self.destination = destination
        self.title = title
        self.description = description
        self.reviewers = reviewers
        self.draft = flag("draft", draft)
        self.close_source_branch = _flag_if_given("close_source_branch", close_source_branch)

    def perform(self, context: Context) -> dict[str, Any]:
        """Open or update the pull request."""
        from airflow_provider_bitbucket.changes.pull_requests import propose, summary

        fields: Any = _without_none(
            destination=self.destination,
            title=self.title,
            description=self.description,
            reviewers=self.reviewers,
            draft=self.draft,
            close_source_branch=self.close_source_branch,
        )
        opened = propose(self.hook.get_conn(), self.repository, source=self.source, **fields)
        return push_pull_request(context, summary(opened))


class BitbucketPullRequestOperator(BitbucketRepositoryOperator):
    """Act on one pull request; the base of operators that do.

    :param pull_request: its number (templated)
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "pull_request")
    operator_extra_links = (BitbucketPullRequestLink(),)
    pull_request = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "pull_request": required_number,
    }

    def __init__(self, *, pull_request: str | int, **operator: Any) -> None:
        super().__init__(**operator)
        self.pull_request = pull_request


class BitbucketUpdatePullRequestOperator(BitbucketPullRequestOperator):
    """Change an open pull request; what is not given stays as it is.

    **Under retry** the result is the same as after one attempt. If nothing differs, nothing is sent. XCom: as for
    :class:`BitbucketCreatePullRequestOperator`.

    :param title: new title (templated)
    :param description: new description in Markdown (templated)
    :param destination: new destination branch (templated)
    :param reviewers: all reviewers it is to have, as for :class:`BitbucketCreatePullRequestOperator`; an empty list removes
        them (templated)
    :param draft: make it a draft, or mark it as ready
    :param close_source_branch: whether the source branch is deleted after the merge
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketPullRequestClosedError: it is not open; the task is not retried
    """

    template_fields: Sequence[str] = (
        *BitbucketPullRequestOperator.template_fields,
        *("title", "description", "destination", "reviewers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"description": "md"}
    title = Templated()
    description = Templated()
    destination = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketPullRequestOperator.parameter_kinds,
        "title": name_if_given,
        "description": name_if_given,
        "destination": name_if_given,
        "reviewers": reviewers_of,
    }

    def __init__(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        destination: str | None = None,
        reviewers: str | Sequence[str] | None = None,
        draft: bool | None = None,
        close_source_branch: bool | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.title = title
        self.description = description
        self.destination = destination
        self.reviewers = reviewers
        self.draft = _flag_if_given("draft", draft)
        self.close_source_branch = _flag_if_given("close_source_branch", close_source_branch)

    def perform(self, context: Context) -> dict[str, Any]:
        """Change the pull request."""
        from airflow_provider_bitbucket.changes.pull_requests import edit, summary

        fields: Any = _without_none(
            title=self.title,
            description=self.description,
            destination=self.destination,
            reviewers=self.reviewers,
            draft=self.draft,
            close_source_branch=self.close_source_branch,
        )
        return push_pull_request(context, summary(edit(self.hook.get_conn(), self.repository, self.pull_request, **fields)))


class BitbucketMergePullRequestOperator(BitbucketPullRequestOperator):
    """Merge a pull request and wait until it is merged, also by a merge queue.

    **Under retry** it is merged once: one that is merged already, by an earlier attempt or by a person, is a success. After a
    lost answer or a timeout (555) the task reads the pull request before it requests the merge again. It waits in the worker;
    to wait long for approvals or checks, put a deferrable sensor before it. XCom: as for
    :class:`BitbucketCreatePullRequestOperator`.

    :param strategy: default: a merge commit
    :param message: message of the commit, 128 KiB at most; default: Bitbucket's (templated)
    :param close_source_branch: delete the source branch; None: as the pull request says
    :param wait_for_checks: merge only when all build statuses of the head are successful, and there is at least one
    :param poll_interval: longest pause in seconds between two polls of a long merge, the queue or the checks
    :param timeout: seconds to wait for checks, a long merge and the queue together
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketPullRequestClosedError: it is declined or superseded; the task is not retried
    :raises BitbucketMergeError: a check failed, it left the merge queue, or the time is up
    :raises BitbucketError: Bitbucket refused, for example because of conflicts or missing approvals
    """

    template_fields: Sequence[str] = (*BitbucketPullRequestOperator.template_fields, "message")
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketPullRequestOperator.parameter_kinds, "message": name}

    def __init__(
        self,
        *,
        strategy: MergeStrategy | None = None,
        message: str | None = None,
        close_source_branch: bool | None = None,
        wait_for_checks: bool = False,
        poll_interval: float = 10,
        timeout: float = 3600,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.strategy = None if strategy is None else one_of("strategy", strategy, MergeStrategy)
        self.message = message
        self.close_source_branch = _flag_if_given("close_source_branch", close_source_branch)
        self.wait_for_checks = flag("wait_for_checks", wait_for_checks)
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)

    def perform(self, context: Context) -> dict[str, Any]:
        """Merge."""
        from airflow_provider_bitbucket.changes.merge import Merge, MergePolicy
        from airflow_provider_bitbucket.changes.pull_requests import summary

        fields: Any = _without_none(
            merge_strategy=self.strategy, message=self.message, close_source_branch=self.close_source_branch
        )
        policy = MergePolicy(poll_seconds=self.poll_interval, timeout_seconds=self.timeout)
        merge = Merge(
            self.hook.get_conn(),
            self.repository,
            self.pull_request,
            fields,
            wait_for_checks=self.wait_for_checks,
            policy=policy,
        )
        return push_pull_request(context, summary(merge.once()))


class BitbucketDeclinePullRequestOperator(BitbucketPullRequestOperator):
    """Decline an open pull request, which cannot be reopened.

    **Under retry** it is declined once: one that is declined already is a success. XCom: as for
    :class:`BitbucketCreatePullRequestOperator`.

    :param message: the reason (templated)
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketPullRequestClosedError: it is merged or superseded; the task is not retried
    """

    template_fields: Sequence[str] = (*BitbucketPullRequestOperator.template_fields, "message")
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketPullRequestOperator.parameter_kinds, "message": name}

    def __init__(self, *, message: str | None = None, **operator: Any) -> None:
        super().__init__(**operator)
        self.message = message

    def perform(self, context: Context) -> dict[str, Any]:
        """Decline."""
        from airflow_provider_bitbucket.changes.pull_requests import decline, summary

        return push_pull_request(
            context, summary(decline(self.hook.get_conn(), self.repository, self.pull_request, self.message))
        )


class BitbucketReviewPullRequestOperator(BitbucketPullRequestOperator):
    """Approve a pull request or request changes, or withdraw either, as the account of the credentials.

    **Under retry** the result is the same as after one attempt; to withdraw a verdict that the account has not given is a
    success. XCom: as for :class:`BitbucketCreatePullRequestOperator`.

    :param review: ``approve``, ``unapprove``, ``request_changes`` or ``withdraw_request``
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketError: Bitbucket refused, for example to withdraw the approval of a merged pull request
    """

    def __init__(self, *, review: Review, **operator: Any) -> None:
        super().__init__(**operator)
        self.review: Review = one_of("review", review, Review)

    def perform(self, context: Context) -> dict[str, Any]:
        """Give or withdraw the verdict."""
        from airflow_provider_bitbucket.changes.pull_requests import review, summary

        return push_pull_request(context, summary(review(self.hook.get_conn(), self.repository, self.pull_request, self.review)))


def _flag_if_given(parameter: str, value: Any) -> bool | None:
    return None if value is None else flag(parameter, value)


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
