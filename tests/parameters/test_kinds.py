"""What each kind of parameter makes of what arrives."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket import parameters
from airflow_provider_bitbucket.parameters.files import FileSource
from airflow_provider_bitbucket.parameters.literals import MAX_CHARACTERS, RenderedToNothing

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Stage(str, Enum):  # noqa: UP042 - as such enums were written before StrEnum
    TEST = "test"


TAKEN: list[tuple[Any, Any, Any]] = [
    *[(kind, "main", "main") for kind in (parameters.name, parameters.required_name, parameters.name_if_given)],
    (parameters.name, " main\n", "main"),
    (parameters.name, 2024, "2024"),
    (parameters.name, np.int64(2024), "2024"),
    (parameters.name, Stage.TEST, "test"),
    (parameters.name, "1.10", "1.10"),
    *[(parameters.name, blank, None) for blank in (None, "", " \n", "None")],
    (parameters.name_if_given, None, None),
    (parameters.files, {"a": "b\n", "c": b"\xff"}, {"a": FileSource(b"b\n"), "c": FileSource(b"\xff")}),
    (parameters.files, '{"a": {"text": "b", "executable": true}}', {"a": FileSource(b"b", executable=True)}),
    (parameters.files, {"a": {"path": "s3://bucket/key"}}, {"a": FileSource(path="s3://bucket/key")}),
    (parameters.files, {"a": Path("b")}, {"a": FileSource(path=Path("b"))}),
    (parameters.files, {2024: 7}, {"2024": FileSource(b"7")}),
    (parameters.files, "None", None),
    (parameters.names, "api", ["api"]),
    (parameters.names, ["api", 2024], ["api", "2024"]),
    (parameters.names, ("api", "web"), ["api", "web"]),
    (parameters.names, iter(["api"]), ["api"]),
    (parameters.names, {"api"}, ["api"]),
    (parameters.names, np.array(["api"]), ["api"]),
    (parameters.names, pd.Series(["api"]), ["api"]),
    (parameters.names, "['api', 'web']", ["api", "web"]),
    (parameters.names, '["api", "web"]', ["api", "web"]),
    (parameters.names, " ('api',) ", ["api"]),
    (parameters.names, "[]", []),
    *[(parameters.names, blank, None) for blank in (None, "", "None")],
    (parameters.names, 2024, ["2024"]),
    (parameters.names_if_given, None, None),
    (parameters.number, 7, 7),
    (parameters.number, " 7 ", 7),
    (parameters.number, 7.0, 7),
    *[(parameters.number, blank, None) for blank in (None, "", "None")],
    (parameters.seconds, 30, 30),
    (parameters.seconds, 0.5, 0.5),
    (parameters.seconds, "30", 30.0),
    (parameters.seconds, timedelta(minutes=1), 60.0),
    (parameters.flag, True, True),
    (parameters.flag, "false", False),
    (parameters.flag, "True", True),
    (parameters.timestamp, "2026-11-02T12:00:00+00:00", NOON),
    (parameters.timestamp, "2026-11-02 12:00", NOON),
    (parameters.timestamp, datetime(2026, 11, 2, 12), NOON),  # noqa: DTZ001 - a naive one is what is tested
    (parameters.timestamp, NOON.astimezone(timezone(timedelta(hours=5))), NOON),
    (parameters.timestamp, pd.Timestamp(NOON), NOON),
    (parameters.timestamp, np.datetime64("2026-11-02T12:00:00", "ns"), NOON),
    (parameters.timestamp, date(2026, 11, 2), NOON.replace(hour=0)),
    (parameters.timestamp, 20261102, NOON.replace(hour=0)),
    *[(parameters.timestamp, blank, None) for blank in (None, "", "None")],
    (parameters.mapping, {"type": "custom", "pattern": 2024}, {"type": "custom", "pattern": "2024"}),
    (parameters.mapping, "{'type': 'custom'}", {"type": "custom"}),
    (parameters.mapping, '{"type": "custom"}', {"type": "custom"}),
    (parameters.mapping, None, None),
    (parameters.variables, {"VERSION": "1.10", "YEAR": 2024, "EMPTY": ""}, {"VERSION": "1.10", "YEAR": "2024", "EMPTY": ""}),
    (parameters.variables, "{'VERSION': '1.10'}", {"VERSION": "1.10"}),
    (parameters.variables, '[{"key": "A", "value": " x "}]', [{"key": "A", "value": " x "}]),
    (parameters.variables, [{"key": "A", "value": 1, "secured": "true"}], [{"key": "A", "value": "1", "secured": True}]),
    *[(parameters.variables, blank, None) for blank in (None, "", "None")],
    (parameters.records, "[{'repository': 'acme/api'}]", [{"repository": "acme/api"}]),
    (parameters.records, "s3://bucket/incidents.csv", "s3://bucket/incidents.csv"),
    (parameters.records, None, None),
]
REFUSED: list[tuple[Any, Any, str]] = [
    (parameters.name, 1.1, r"p is 1\.1 \(a float\).*Native rendering"),
    (parameters.name, float("inf"), "p is inf"),
    (parameters.name, True, r"p is True \(a bool\).*tojson"),
    (parameters.name, pd.NaT, "p is NaT"),
    (parameters.name, ["main"], r"p is \['main'\]"),
    (parameters.name, b"main", "p is b'main'"),
    (parameters.name, 10**5000, "p is an int of too many digits"),
    *[(parameters.required_name, blank, "p is .*not empty") for blank in (None, "", " ", "None")],
    (parameters.required_name, RenderedToNothing("{{ x }}"), r"p is empty \(its template '\{\{ x \}\}' rendered to nothing\)"),
    *[(parameters.name_if_given, blank, "p is .*not empty") for blank in ("", " ", "None")],
    *[(parameters.files, {"a": wrong}, r"p\['a'\] is .*An empty file is b''") for wrong in (None, "", "None", {"a": 1}, {})],
    (parameters.files, {"a": 1.1}, r"p\['a'\] is 1.1.*Native rendering"),
    (parameters.files, ["a"], "p is .*expected a mapping"),
    *[(parameters.required_files, nothing, "p is .*at least one file") for nothing in (None, "", {}, "{}")],
    (parameters.names, 1.1, "p is 1.1.*Native rendering"),
    (parameters.names, ["1.10", 1.1], "A value of p is 1.1"),
    (parameters.names, "['api', '']", "A value of p is ''"),
    (parameters.names, [None], "A value of p is None"),
    (parameters.names, {"api": 1}, "p is .*expected names"),
    (parameters.names, "{'api': 1}", "p is .*expected names"),
    (parameters.names, pd.DataFrame({"repository": ["api"]}), "p is .*expected names"),
    (parameters.names, "[api, web]", r"p is '\[api, web\]'; expected JSON"),
    (parameters.names, "[" + "-" * 99_000 + "1]", "expected JSON or a Python literal"),
    (parameters.names, "[" * 50_000 + "]" * 50_000, "expected JSON or a Python literal"),
    (parameters.names, "[" + "1," * MAX_CHARACTERS + "]", "expected at most 100,000"),
    *[(parameters.names_if_given, nothing, "p is .*at least one name") for nothing in ("", "None", [], "[]")],
    *[(parameters.number, wrong, "p is .*whole number") for wrong in (0, -1, 1.5, True, "x", "1.0", [1], pd.NaT, 10**5000, "٣")],
    *[(parameters.number, wrong, "p is .*whole number") for wrong in (float("inf"), float("nan"), "9" * 5000)],
    *[(parameters.seconds, wrong, "p is .*seconds > 0") for wrong in (0, -1, True, None, "", "x", "nan", "inf", float("inf"))],
    *[(parameters.seconds, wrong, "p is .*seconds > 0") for wrong in (timedelta(0), [1], pd.NaT, 10**5000)],
    *[(parameters.flag, wrong, "p is .*True or False") for wrong in (None, "", "yes", 1, 1.0, [], pd.NaT)],
    *[(parameters.timestamp, wrong, "p is .*ISO 8601") for wrong in (pd.NaT, "NaT", np.datetime64("NaT"), True, 1.1, [1])],
    *[(parameters.timestamp, wrong, "p is .*ISO 8601") for wrong in (2024, 1762041600000, "1762041600000", -20261102, "x")],
    (parameters.timestamp, datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "p is .*ISO 8601"),
    (parameters.timestamp, pd.DataFrame({"a": [1]}), "p is .*ISO 8601"),
    *[(parameters.mapping, wrong, "p is .*a mapping") for wrong in ("", "None", {}, "{}", ["type"], 1.1, pd.NaT, "custom")],
    (parameters.mapping, {"type": "custom", "pattern": 1.1}, r"p\['pattern'\] is 1\.1"),
    (parameters.variables, {"VERSION": 1.1}, r"p\['VERSION'\] is 1\.1.*tojson"),
    (parameters.variables, {"DRY": True}, r"p\['DRY'\] is True.*quotes"),
    (parameters.variables, {"A": None}, r"p\['A'\] is None"),
    (parameters.variables, 1.1, "p is a float"),
    (parameters.variables, "A=1", "p is a str"),
    (parameters.variables, [{"key": "A", "value": "x", "secured": "maybe"}], "secured of The value of p key 'A' is 'maybe'"),
    *[(parameters.records, blank, "p is .*expected records") for blank in ("", "None")],
    (parameters.location, 1.1, "p is 1.1"),
    (parameters.location, "", "p is ''"),
]


@pytest.mark.parametrize(("kind", "arrives", "means"), TAKEN, ids=range(len(TAKEN)))
def test_what_arrives_means_one_thing(kind: Any, arrives: Any, means: Any) -> None:
    taken = kind("p", arrives)

    assert taken == means
    assert type(taken) is type(means)


@pytest.mark.parametrize(("kind", "arrives", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_has_no_clear_meaning_is_refused(kind: Any, arrives: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        kind("p", arrives)

    assert len(str(error.value)) < 600


def test_the_value_of_a_secured_variable_is_not_in_the_error() -> None:
    for value in (8391.25, ["8391.25"], {"a": "8391.25"}):
        with pytest.raises(ValueError, match="key 'PIN'") as error:
            parameters.variables("p", [{"key": "PIN", "value": value, "secured": True}])
        assert "8391" not in str(error.value)
    with pytest.raises(ValueError, match="p is text") as error:
        parameters.variables("p", "[{'key': 'PIN', 'value': s3cret}]")
    assert "s3cret" not in str(error.value)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)
_NO_KINDS = (
    *("Kind", "Templated", "Timestamp", "FileSource", "interval", "is_blank", "is_template", "normalize", "one_of"),
    *("check_serializable", "refused", "shown"),
)
_KINDS = st.sampled_from([getattr(parameters, kind) for kind in parameters.__all__ if kind not in _NO_KINDS])


@given(value=_ANYTHING, as_text=st.booleans(), kind=_KINDS)
def test_anything_else_is_never_an_error_of_another_kind(value: Any, as_text: bool, kind: Any) -> None:
    message = ""
    try:
        kind("param_1", repr(value) if as_text else value)
    except ValueError as error:
        message = str(error)
    assert "param_1" in message or not message


def test_a_value_keeps_its_identity_until_it_is_replaced_and_nothing_is_reported_with_its_template() -> None:
    class Task:
        repository = parameters.Templated()

    task, given_value = Task(), ["{{ x }}"]
    task.repository = given_value
    assert task.repository is given_value

    for blank in (None, "", "None", " "):
        task = Task()
        task.repository = "{{ params.name }}"
        task.repository = blank
        with pytest.raises(ValueError, match=r"repository is empty \(its template '\{\{ params.name \}\}' rendered to nothing\)"):
            parameters.normalize(task, {"repository": parameters.required_name})
