"""Write comments and tasks on pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.links import PULL_REQUEST_URL_XCOM
from airflow_provider_bitbucket.operators.pull_requests import BitbucketPullRequestOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, name_if_given, number, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketPullRequestCommentOperator", "BitbucketPullRequestTaskOperator"]


class BitbucketPullRequestCommentOperator(BitbucketPullRequestOperator):
    """Comment on a pull request, or update the comment that was written with the same key.

    **Under retry** there is one comment: it has a marker that Markdown does not show, by which the next attempt finds it, also
    after a lost answer or a kill at any point. XCom: ``id`` of the comment, ``url`` and ``pull_request``; ``pull_request_url``
    leads to the comment.

    :param text: Markdown (templated)
    :param key: identifies the comment within the pull request, so that other runs and tasks with this key update it in place;
        default: one comment for each run of the task (templated)
    :param path: file that the comment is about; default: none, it is about the whole pull request (templated)
    :param line: line of the new version of this file (templated)
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: ``line`` without ``path``
    """

    template_fields: Sequence[str] = (*BitbucketPullRequestOperator.template_fields, "text", "key", "path", "line")
    template_fields_renderers: ClassVar[dict[str, str]] = {"text": "md"}
    text = Templated()
    key = Templated()
    path = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketPullRequestOperator.parameter_kinds,
        "text": required_name,
        "key": name_if_given,
        "path": name_if_given,
        "line": number,
    }

    def __init__(
        self,
        *,
        text: str,
        key: str | None = None,
        path: str | None = None,
        line: str | int | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        if line is not None and path is None:
            raise ValueError(f"line is {line!r} without path; expected the file that has this line")
        self.text = text
        self.key = key
        self.path = path
        self.line = line

    def perform(self, context: Context) -> dict[str, Any]:
        """Write or update the comment."""
        from airflow_provider_bitbucket.changes.comments import upsert_comment

        inline: Any = None
        if self.path:
            inline = {"path": self.path, **({"to": self.line} if self.line else {})}
        comment = upsert_comment(
            self.hook.get_conn(), self.repository, self.pull_request, self.key or _run_key(context), self.text, inline=inline
        )
        return _pushed(context, self.pull_request, comment)


class BitbucketPullRequestTaskOperator(BitbucketPullRequestOperator):
    """Add a task to a pull request, resolve it or reopen it.

    **Under retry** there is one task: the text identifies it, and one that exists is not added again. XCom: ``id`` of the task,
    ``state`` (RESOLVED or UNRESOLVED), ``url`` and ``pull_request``.

    :param text: what is to be done, Markdown (templated)
    :param resolved: True: resolve the task; False: reopen it; None: leave its state
    :param operator: ``pull_request``, ``repository``, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    """

    template_fields: Sequence[str] = (*BitbucketPullRequestOperator.template_fields, "text")
    text = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketPullRequestOperator.parameter_kinds, "text": required_name}

    def __init__(self, *, text: str, resolved: bool | None = None, **operator: Any) -> None:
        super().__init__(**operator)
        self.text = text
        self.resolved = None if resolved is None else flag("resolved", resolved)

    def perform(self, context: Context) -> dict[str, Any]:
        """Add, resolve or reopen the task."""
        from airflow_provider_bitbucket.changes.comments import ensure_task

        task = ensure_task(self.hook.get_conn(), self.repository, self.pull_request, self.text, resolved=self.resolved)
        return {**_pushed(context, self.pull_request, task), "state": task["state"]}


def _run_key(context: Context) -> str:
    """Return what identifies a task of a run, in all its attempts."""
    task = context["ti"]
    return " ".join(map(str, (task.dag_id, task.run_id, task.task_id, task.map_index)))


def _pushed(context: Context, number: int, written: Mapping[str, Any]) -> dict[str, Any]:
    url = str(((written.get("links") or {}).get("html") or {}).get("href") or "")
    context["ti"].xcom_push(key=PULL_REQUEST_URL_XCOM, value=url)
    return {"id": written["id"], "url": url, "pull_request": number}
