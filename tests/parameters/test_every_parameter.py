"""Every template field of every operator and sensor takes every shape, or refuses it and names itself and the value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket import parameters
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from tests.parameters.classes import CLASSES, IDS, fields

#: What arrives: by templates as text, by native rendering, by Params and XComs.
SHAPES: dict[str, Any] = {
    "none": None,
    "the text None": "None",
    "empty": "",
    "blank": " \n",
    "text": "1.10",
    "a list as text": "['api', 'web']",
    "a list as JSON": '["api", "web"]',
    "a mapping as text": "{'a': 1}",
    "a malformed list": "[api, web",
    "a malformed list in brackets": "[api, web]",
    "float": 1.1,
    "inf": float("12e4567"),
    "nan": float("nan"),
    "true": True,
    "false": False,
    "int": 2024,
    "a long int": 10**5000,
    "a hash": "abcdef1",
    "NaT": pd.NaT,
    "Timestamp": pd.Timestamp("2026-11-02", tz="UTC"),
    "naive": datetime(2026, 11, 2),  # noqa: DTZ001 - a naive one is what arrives
    "date": date(2026, 11, 2),
    "timedelta": timedelta(minutes=1),
    "list": ["api", 2024],
    "a list with a float": ["1.10", 1.1],
    "mapping": {"type": "custom", "pattern": "nightly"},
    "a mapping with a float": {"VERSION": 1.1},
    "bytes": b"api",
    "frame": pd.DataFrame({"repository": ["api"]}),
    "object": object(),
}
NAMES = ("repository", "branch", "tag", "workspace", "environment", "pipeline", "custom_pipeline", "run_as", "table", "title")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("cls", "valid"), CLASSES, ids=IDS)
def test_a_field_takes_a_shape_or_names_itself_and_the_value(cls: type[Any], valid: Mapping[str, Any], shape: str) -> None:
    for field in fields(cls, valid):
        if field == "incidents" and shape not in ("none", "empty", "blank", "the text None"):
            continue  # records of any form: metrics.incidents checks them
        task = cls(task_id="task", **valid)
        message = ""
        try:
            task.__setattr__(field, SHAPES[shape])  # as rendering does; values of secured variables are read then
            parameters.normalize(task, task.parameter_kinds)
        except ValueError as error:
            message = str(error)

        assert not message or field in message, message
        assert len(message) < 700
        if field in NAMES and not message:
            # What is a name is text, and no other text than what arrived.
            assert str(getattr(task, field) or "").strip() in ("", str(SHAPES[shape]).strip())
        if field in NAMES and isinstance(SHAPES[shape], float | bool | bytes | timedelta | list | dict):
            assert message, f"{field} took {SHAPES[shape]!r}"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": 1.1}),
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": "api", "bots": [1.1]}),
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": "api", "since": pd.NaT}),
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": "api", "until": 1762041600000}),
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": "api", "with_commits": "maybe"}),
        ("datasets.get_df", {"dataset": "pull_requests", "repositories": "api", "workers": 0}),
        ("metrics.get_df", {"metric": "throughput", "repositories": "api", "group_by": 1.1}),
        ("metrics.get_df", {"metric": "throughput", "repositories": "api", "bots": {"a": 1}}),
        ("metrics.get_df", {"metric": "dora", "repositories": "api", "incidents": ""}),
        ("datasets.repository_names", {"repositories": ["api", None]}),
        ("list_repositories", {"project": 1.1}),
        ("list_repositories", {"updated_since": pd.NaT}),
        ("full_name", {"repository": 1.1}),
        ("tables.exists", {"table": 1.1, "sql_conn_id": "x"}),
        ("tables.exists", {"table": "x", "sql_conn_id": None}),
        ("files.write_text", {"text": "x", "path": ""}),
    ],
)
def test_a_method_of_the_hook_refuses_what_has_no_clear_meaning(method: str, arguments: dict[str, Any]) -> None:
    wrong = list(arguments)[-1] if method != "tables.exists" or arguments["sql_conn_id"] is None else "table"
    with pytest.raises(ValueError, match=f"{wrong} .*expected"):
        attrgetter(method)(BitbucketHook("no_connection_is_needed"))(**arguments)


def test_a_flag_that_is_text_is_understood_when_the_dag_is_parsed() -> None:
    for cls, valid, name in (
        (CLASSES[0][0], CLASSES[0][1], "with_commits"),
        (*next(one for one in CLASSES if one[0] is BitbucketTriggerPipelineOperator), "wait_for_completion"),
        (CLASSES[-1][0], CLASSES[-1][1], "deferrable"),
    ):
        assert getattr(cls(task_id="task", **valid, **{name: "false"}), name) is False
        with pytest.raises(ValueError, match=f"{name} is 'maybe'; expected True or False"):
            cls(task_id="task", **valid, **{name: "maybe"})


def test_seconds_may_be_a_timedelta() -> None:
    cls, valid = next(one for one in CLASSES if one[0] is BitbucketTriggerPipelineOperator)
    task = cls(task_id="task", **valid, poll_interval=timedelta(minutes=1), timeout="3600")
    assert (task.poll_interval, task.timeout) == (60, 3600)
    assert datetime.fromtimestamp(task.timeout, UTC).hour == 1


def test_an_empty_template_of_a_required_parameter_is_named() -> None:
    for cls, valid in CLASSES:
        for field in ("repository", "pipeline", "environment", "table", "keys", "moved_from", "custom_pipeline"):
            for blank in (None, "", "None") if field in valid else ():
                task = cls(task_id="task", **{**valid, field: "{{ params.missing }}"})
                task.__setattr__(field, blank)
                with pytest.raises(ValueError, match=rf"{field} is empty \(its template '{{{{ params.missing }}}}' rendered"):
                    parameters.normalize(task, task.parameter_kinds)
