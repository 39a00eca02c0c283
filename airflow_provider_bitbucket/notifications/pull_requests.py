"""Comment on a pull request about a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.notifications.base import BitbucketNotifier
from airflow_provider_bitbucket.parameters import Kind, Templated, name_if_given, number, required_number

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.hooks.runs import Run

__all__ = ["BitbucketPullRequestCommentNotifier"]

#: State of a task, and of a DAG in its callbacks -> what the default text says.
_WORDS = {"success": "succeeded", "failed": "failed", "skipped": "was skipped", "up_for_retry": "failed and will be retried"}
#: Characters of an error; the comment itself may have 200,000.
_LONGEST_ERROR = 5_000


class BitbucketPullRequestCommentNotifier(BitbucketNotifier):
    """Comment on a pull request: which task failed, in which attempt, with a link and the end of its log.

    There is one comment for a task, and one for a DAG, which a later run updates in place::

        BashOperator(
            task_id="deploy",
            on_failure_callback=BitbucketPullRequestCommentNotifier(repository="api", pull_request="{{ params.pull_request }}"),
            ...
        )

    Everyone who sees the pull request can read the end of the log. Costs one request for every 100 comments of the pull
    request, and one to write.

    :param pull_request: number of the pull request (templated)
    :param text: Markdown (templated); default: the task or DAG with its state, run and attempt
    :param key: identifies the comment within the pull request (templated); default: one for the DAG, or for the task
    :param log_lines: most lines of the log of a failed task that are appended; None: neither log nor error
    :param notifier: ``repository`` and the other parameters of
        :class:`~airflow_provider_bitbucket.notifications.base.BitbucketNotifier`
    """

    template_fields: Sequence[str] = (*BitbucketNotifier.template_fields, "pull_request", "text", "key")
    text = Templated()
    key = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketNotifier.parameter_kinds,
        "pull_request": required_number,
        "text": name_if_given,
        "key": name_if_given,
    }

    def __init__(
        self,
        *,
        pull_request: int | str,
        text: str | None = None,
        key: str | None = None,
        log_lines: int | None = 20,
        **notifier: Any,
    ) -> None:
        super().__init__(**notifier)
        self.pull_request: Any = pull_request
        self.text = text
        self.key = key
        self.log_lines = number("log_lines", log_lines)

    def report(self, client: BitbucketClient, run: Run) -> None:
        """Write or update the comment."""
        from airflow_provider_bitbucket.changes.build_statuses import status_key
        from airflow_provider_bitbucket.changes.comments import upsert_comment

        key = self.key or status_key(run.dag_id, run.task_id, run.map_index)
        text = f"{self.text or default_text(run)}{self._details(run)}"
        comment = upsert_comment(client, self.repository, self.pull_request, key, text)
        self.log.info("Commented on pull request %s: comment %s.", self.pull_request, comment.get("id"))

    def _details(self, run: Run) -> str:
        """Return the end of the log of a failed task, else its error, as a block of code."""
        if run.state == "success" or not self.log_lines:
            return ""
        from airflow.sdk.log import redact  # type: ignore[attr-defined]  # there in all versions, and not exported

        from airflow_provider_bitbucket.notifications.task_log import end_of_log

        found = end_of_log(run, self.log_lines) if run.task_id is not None else ""
        return code_block(found or str(redact(run.error))[:_LONGEST_ERROR])


def default_text(run: Run) -> str:
    """Return Markdown that names a task or DAG with its state, and links to its log and run."""
    if not run.dag_id:
        return "A deadline in Airflow was missed."
    word = "missed a deadline" if run.task_id is None and run.state is None else _WORDS.get(run.state or "failed", "is running")
    attempt = f", attempt {run.attempt}" if run.attempt else ""
    log = "" if run.task_id is None else f" ([log]({run.url}))"
    return f"**{_code(run.title)} {word}** in run [{_code(run.run_id)}]({run.run_url}){attempt}{log}."


def code_block(text: str) -> str:
    """Return text as a block of Markdown that nothing in it can end; empty for no text."""
    if not text.strip():
        return ""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"\n\n{fence}text\n{text.rstrip()}\n{fence}"


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"
