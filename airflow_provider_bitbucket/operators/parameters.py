"""What operators check their parameters with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

#: What a pipeline can run on.
TARGETS = ("branch", "tag", "commit", "pull_request")
#: What may be given together: exactly this commit, in the context of a branch or tag.
_TOGETHER = ({"branch", "commit"}, {"tag", "commit"})


def is_template(value: Any) -> bool:
    """Say whether a value is known only when the task runs."""
    return "{{" in value or "{%" in value if isinstance(value, str) else not isinstance(value, int)


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


def seconds(name: str, value: float) -> float:
    """Return a number of seconds.

    :raises ValueError: it is none
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}; expected seconds, more than 0 and less than for ever")
    return value


def one_of(name: str, value: Any, words: Any) -> Any:
    """Return a value that is one of the words of a ``Literal``.

    :raises ValueError: it is none of them
    """
    if value not in get_args(words):
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(get_args(words))}")
    return value


def check_serializable(trigger: BaseTrigger) -> None:
    """Refuse parameters that could not be handed to the triggerer."""
    _, kwargs = trigger.serialize()
    for name, value in kwargs.items():
        try:
            json.dumps(value)
        except TypeError:
            raise TypeError(f"{name} is a {type(value).__name__}; expected a plain text or number") from None
