"""Template fields of operators and sensors: kept unchanged until they are rendered, and given their meaning afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitbucket.parameters.literals import RenderedToNothing, is_blank

#: Returns what is meant by the value of a parameter: ``kind(parameter, value)``.
Kind = Callable[[str, Any], Any]


class Templated:
    """A template field that may be left out, but whose template must not render to nothing unnoticed.

    It keeps the very object it is set to: Airflow knows by identity which values came from another task, and renders copies
    of them as templates. If a value is replaced by a blank one, as a template that renders to nothing does (also to None, by
    native rendering), it becomes an empty text that knows the template, which :func:`~.texts.required_name` and others report.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return the value."""
        if instance is None:
            return self
        try:
            return instance.__dict__[self._name]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, instance: Any, value: Any) -> None:
        """Keep a value."""
        before = instance.__dict__.get(self._name)
        if is_blank(value) and isinstance(before, RenderedToNothing):
            value = before
        elif is_blank(value) and not is_blank(before):
            value = RenderedToNothing(str(before))
        instance.__dict__[self._name] = value


def normalize(task: Any, kinds: Mapping[str, Kind]) -> None:
    """Replace rendered parameters of a task by what is meant by them.

    :param kinds: the kind of each parameter
    :raises ValueError: names the first parameter that is malformed
    """
    for parameter, kind in kinds.items():
        setattr(task, parameter, kind(parameter, getattr(task, parameter)))


def is_template(value: Any) -> bool:
    """Return whether a value may be known only when the task runs."""
    return "{{" in value or "{%" in value if isinstance(value, str) else not isinstance(value, int)
