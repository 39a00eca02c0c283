"""What operators check their parameters with."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

#: What a pipeline can run on.
TARGETS = ("branch", "tag", "commit", "pull_request")


def is_template(value: Any) -> bool:
    """Say whether a value is known only when the task runs."""
    return "{{" in value or "{%" in value if isinstance(value, str) else not isinstance(value, int)


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
