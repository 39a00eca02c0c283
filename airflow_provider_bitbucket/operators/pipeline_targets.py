"""What a pipeline can run on, as parameters of an operator."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from airflow_provider_bitbucket.parameters import is_blank, is_template, refused, text

TARGETS = ("branch", "tag", "commit", "pull_request")
#: What may be given together: exactly this commit, in the context of a branch or tag.
_TOGETHER = ({"branch", "commit"}, {"tag", "commit"})


def definition_text(parameter: str, value: Any) -> str | None:
    """Return a definition without the indentation of its DAG file; None if it is left out.

    :raises ValueError: it is not text, or empty
    """
    if value is None:
        return None
    if is_blank(value):
        raise refused(parameter, value, "YAML in the form of bitbucket-pipelines.yml")
    return dedent(text(parameter, value))


def check_targets(task_id: str, given: Mapping[str, Any]) -> None:
    """Refuse targets that contradict each other, whatever their templates render to; the rest is checked before the start.

    :param task_id: for the message
    :param given: those of :data:`TARGETS` that are not None
    :raises ValueError: there is none, or more than belong together
    """
    fixed = {name for name, value in given.items() if not is_template(value)}
    if not given or (len(fixed) > 1 and fixed not in _TOGETHER):
        raise ValueError(
            f"{task_id}: give exactly one of {', '.join(TARGETS)} (commit may accompany branch or tag); "
            f"given: {', '.join(given) or 'none'}"
        )
