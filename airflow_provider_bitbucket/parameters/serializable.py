"""Parameters of triggers."""

from __future__ import annotations

import json
from typing import Any


def check_serializable(trigger: Any) -> None:
    """Raise TypeError if a trigger parameter is not JSON-serializable.

    :raises TypeError: names the parameter
    """
    _, kwargs = trigger.serialize()
    for name, value in kwargs.items():
        try:
            json.dumps(value)
        except TypeError:
            raise TypeError(f"{name} is a {type(value).__name__}; expected a plain text or number") from None
