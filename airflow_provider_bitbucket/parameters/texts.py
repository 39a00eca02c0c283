"""Parameters that are text: names, lists of names, mappings of text, pipeline variables, one of several words, paths."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, get_args

from airflow_provider_bitbucket.parameters.literals import is_blank, literal, refused, shown
from airflow_provider_bitbucket.parameters.numbers import flag

_QUOTING = (
    "Native rendering (render_template_as_native_obj) turns text such as '1.10' or 'True' into numbers and booleans; "
    'keep it text with "{{ ... | tojson }}", and write it in quotes in Python or JSON'
)


def text(parameter: str, value: Any, *, secret: bool = False) -> str:
    """Return text as it is, and an int as text.

    A float or bool is refused: the text it was made of, such as ``1.10``, cannot be restored.

    :param secret: leave the value out of the error
    :raises ValueError: the value is of another type
    """
    if isinstance(value, str):
        return str.__str__(value)  # of an Enum too
    is_bool = isinstance(value, bool)
    if isinstance(value, numbers.Integral) and not is_bool:
        try:
            return str(int(value))
        except ValueError:  # Python converts 4,300 digits at most
            raise ValueError(f"{parameter} is an int of too many digits; expected text") from None
    got = f"a {type(value).__name__}" if secret else f"{shown(value)} (a {type(value).__name__})"
    hint = f". {_QUOTING}." if is_bool or isinstance(value, float) else ""
    raise ValueError(f"{parameter} is {got}; expected text{hint}")


def name(parameter: str, value: Any) -> str | None:
    """Return a name without surrounding blanks; None if it is not given (see :func:`is_blank`).

    :raises ValueError: the value is neither text nor an int
    """
    return None if is_blank(value) else text(parameter, value).strip()


def required_name(parameter: str, value: Any) -> str:
    """Return a name that has to be given.

    :raises ValueError: the value is neither text nor an int, or not given
    """
    found = name(parameter, value)
    if found is None:
        raise refused(parameter, value, "text that is not empty")
    return found


def name_if_given(parameter: str, value: Any) -> str | None:
    """Return a name that may be left out (None), but not rendered to nothing, which would mean something else.

    :raises ValueError: the value is neither text nor an int, or empty
    """
    return None if value is None else required_name(parameter, value)


def names(parameter: str, value: Any) -> list[str] | None:
    """Return a list of names, of a list, a single name, or a list as text in JSON or Python; None if it is not given.

    :raises ValueError: the value is of another type, or one of the names is, or is empty
    """
    if is_blank(value):
        return None
    found = literal(parameter, value)
    if isinstance(found, str | numbers.Number):
        return [required_name(parameter, found)]
    if hasattr(found, "tolist"):  # an array or a Series, of pandas or numpy
        found = found.tolist()
    if isinstance(found, Mapping | bytes | bytearray) or not isinstance(found, Sequence | Set | Iterator):
        raise refused(parameter, value, "names, such as ['api', 'web']")
    return [required_name(f"A value of {parameter}", one) for one in found]


def names_if_given(parameter: str, value: Any) -> list[str] | None:
    """Return names that may be left out (None), but not rendered to nothing, which would mean all.

    :raises ValueError: as :func:`names`, or there is no name
    """
    found = names(parameter, value)
    if value is not None and not found:
        raise refused(parameter, value, "at least one name, or None for all")
    return found


def mapping(parameter: str, value: Any) -> dict[str, str] | None:
    """Return a mapping of text to text, which may arrive as text in JSON or Python; None if it is left out.

    :raises ValueError: the value is of another type, a key or value is not text, or it was rendered to nothing
    """
    if value is None:
        return None
    found = literal(parameter, value)
    if not isinstance(found, Mapping) or not found:
        raise refused(parameter, value, "a mapping such as {'type': 'branches', 'pattern': 'main'}")
    return {text(f"A key of {parameter}", key): required_name(f"{parameter}[{key!r}]", one) for key, one in found.items()}


def variables(parameter: str, value: Any) -> dict[str, str] | list[Any] | None:
    """Return pipeline variables whose values are text; None if they are not given.

    :param value: ``{"KEY": "value"}``, a list of ``{"key": ..., "value": ..., "secured": True}``, or either as text
    :raises ValueError: the value is of another type, or the value of a variable is neither text nor an int. Values of
        secured variables, and text that cannot be read, are not shown
    """
    if is_blank(value):
        return None
    try:
        found = literal(parameter, value)
    except ValueError:
        raise ValueError(f"{parameter} is text that is neither JSON nor a Python literal; expected variables") from None
    if isinstance(found, Mapping):
        return {text(f"A key of {parameter}", key): text(f"{parameter}[{key!r}]", one) for key, one in found.items()}
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        got = type(value).__name__  # not the value, which may be a secret
        expected = "expected {'KEY': 'value'} or a list of variables"
        raise ValueError(f"{parameter} is a {got}; {expected}")  # noqa: TRY004 - bad parameters are all ValueErrors
    return [_variable(parameter, one) for one in found]


def _variable(parameter: str, variable: Any) -> Any:
    """Return a variable of the list form with its value as text; what has another form is refused by the client."""
    if not isinstance(variable, Mapping) or "value" not in variable:
        return variable
    where = f"The value of {parameter} key {variable.get('key')!r}"
    secured = variable.get("secured")
    taken = {**variable, "value": text(where, variable["value"], secret=bool(secured))}
    return taken if secured is None else {**taken, "secured": flag(f"secured of {where}", secured)}


def location(parameter: str, value: Any) -> str | None:
    """Return a path or URL as text; None if it is left out.

    :raises ValueError: the value is of another type, or was rendered to nothing
    """
    return None if value is None else required_location(parameter, value)


def required_location(parameter: str, value: Any) -> str:
    """Return a path or URL that has to be given, as text.

    :raises ValueError: the value is of another type, or empty
    """
    return required_name(parameter, str(value) if isinstance(value, os.PathLike) else value)


def one_of(parameter: str, value: Any, words: Any) -> Any:
    """Return a value that is one of several words.

    :param words: the words, or a ``Literal`` of them
    :raises ValueError: it is none of them
    """
    known: Iterable[str] = get_args(words) or words
    if not isinstance(value, str) or value not in known:
        raise refused(parameter, value, f"one of {', '.join(known)}")
    return value
