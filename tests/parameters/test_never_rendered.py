"""What other tasks return is never a template, whatever parameter it arrives in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.parameters.classes import CLASSES, IDS, fields

POISON = "{{ conn.bitbucket_default.password }}"
SHAPES = {"text": POISON, "list": [POISON, [POISON]], "mapping": {"key": POISON, "value": POISON}}
SHAPES["variables"] = [{"key": "A", "value": POISON}, {"key": "B", "value": POISON, "secured": True}]
_numbers = itertools.count(1)


def test_every_operator_and_sensor_is_in_the_table_with_every_template_field() -> None:
    from airflow.sdk import BaseOperator

    def below(cls: type[Any]) -> set[type[Any]]:
        return {one for sub in cls.__subclasses__() for one in (sub, *below(sub))}

    ours = {cls for cls in below(BaseOperator) if cls.__module__.startswith("airflow_provider_bitbucket.")}
    bases = {
        "BitbucketFilesOperator",
        "BitbucketFrameOperator",
        "BitbucketOperator",
        "BitbucketPullRequestOperator",
        "BitbucketRepositoryOperator",
        "BitbucketSensor",
    }
    assert {cls.__name__ for cls in ours} - bases == {cls.__name__ for cls, _ in CLASSES}
    for cls in ours:
        covered = {name for one, valid in CLASSES if one is cls for name in fields(cls, valid)}
        assert cls.__name__ in bases or covered == set(cls.template_fields), cls
        assert set(cls.parameter_kinds) == set(cls.template_fields), cls


@pytest.mark.parametrize(("cls", "valid"), CLASSES, ids=IDS)
def test_what_other_tasks_return_is_never_rendered(
    bitbucket_emulator: BitbucketEmulator,
    connect: Callable[..., None],
    run_dag: Callable[[DAG], Any],
    cls: type[Any],
    valid: Mapping[str, Any],
) -> None:
    connect(connection_json(bitbucket_emulator))
    names = fields(cls, valid)
    arrived: dict[str, dict[int, Any]] = {}

    def note(context: Any) -> None:
        now = context["task"]
        arrived.setdefault(now.task_id, {})[context["ti"].map_index] = {name: getattr(now, name) for name in names}
        raise AirflowSkipException("It has been seen what it is about to run with.")

    with DAG(f"never_rendered_{next(_numbers)}", schedule=None) as dag:

        @task
        def rows() -> list[dict[str, Any]]:
            return [{**valid, **dict.fromkeys(names, shape)} for shape in SHAPES.values()]

        @task
        def value(shape: str) -> Any:
            return [SHAPES[shape]]

        @task
        def single(shape: str) -> Any:
            return SHAPES[shape]

        cls.partial(task_id="kwargs", pre_execute=note).expand_kwargs(rows())
        fixed = {name: one for name, one in valid.items() if name not in names}
        for shape in ("text", "variables"):
            mapped = value.override(task_id=f"values_{shape}")(shape)
            cls.partial(task_id=f"mapped_{shape}", pre_execute=note, **fixed).expand(**dict.fromkeys(names, mapped))
            plain = single.override(task_id=f"single_{shape}")(shape)
            cls(task_id=f"plain_{shape}", pre_execute=note, **fixed, **dict.fromkeys(names, plain))
    run_dag(dag)

    assert arrived["kwargs"] == {at: dict.fromkeys(names, shape) for at, shape in enumerate(SHAPES.values())}
    for shape in ("text", "variables"):
        assert arrived[f"mapped_{shape}"] == {0: dict.fromkeys(names, SHAPES[shape])}
        assert arrived[f"plain_{shape}"] == {-1: dict.fromkeys(names, SHAPES[shape])}
