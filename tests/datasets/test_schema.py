"""A frame has the same columns and dtypes, whatever its rows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.__main__ import markdown
from airflow_provider_bitbucket.datasets.catalog import SPECS, dataset_spec
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.frames import FrameBuilder, timestamp_series
from airflow_provider_bitbucket.datasets.schema import Schema

SCHEMA = Schema(
    "things",
    ("id",),
    (
        Column("id", INTEGER, "number", "id"),
        Column("name", TEXT, "name", "name"),
        Column("at", TIMESTAMP, "when", "at"),
        Column("spent_seconds", NUMBER, "how long", "spent", "s"),
        Column("is_new", BOOLEAN, "whether it is new", "new"),
        Column("state", CATEGORY, "where it stands", "state", categories=("OPEN", "DONE")),
    ),
)
DTYPES = {column.name: column.dtype for column in SCHEMA}

in_utc = st.integers(0, 2**52).map(lambda microseconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | st.integers(-(2**63), 2**63 - 1),
        "name": st.none() | st.text("ab é漢😀\n", max_size=6),
        "at": st.none() | in_utc | in_utc.map(datetime.isoformat),
        "spent_seconds": st.none() | st.floats(allow_nan=False),
        "is_new": st.none() | st.booleans(),
        "state": st.none() | st.sampled_from(["OPEN", "DONE", "QUEUED", ""]),
    },
)


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype).partition("[python")[0] for name, dtype in frame.dtypes.items()}


@settings(deadline=None, max_examples=40)
@given(st.lists(rows, max_size=5))
def test_a_frame_has_every_column_in_its_dtype_whatever_the_rows(listed: list[dict[str, Any]]):
    frame = SCHEMA.frame(listed)
    assert dtypes(frame) == DTYPES
    assert len(frame) == len(listed)


@settings(deadline=None, max_examples=40)
@given(st.lists(rows, max_size=5))
def test_nothing_is_lost_on_the_way_into_a_frame(listed: list[dict[str, Any]]):
    frame = SCHEMA.frame(listed)
    for name in ("id", "name", "spent_seconds", "is_new", "state"):
        assert [None if pd.isna(value) else value for value in frame[name]] == [row.get(name) for row in listed]
    expected = [row.get("at") for row in listed]
    assert [None if pd.isna(value) else value.to_pydatetime() for value in frame["at"]] == [
        datetime.fromisoformat(value) if isinstance(value, str) else value for value in expected
    ]


def test_frames_of_few_and_of_no_rows_can_be_put_together_without_changing_dtypes():
    some = SCHEMA.frame([{"id": 1, "state": "DONE", "at": "2026-10-01T08:00:00Z"}])
    assert dtypes(pd.concat([SCHEMA.empty(), some, SCHEMA.frame([{}])])) == DTYPES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-07T18:39:55.551762+00:00", "2026-10-07T18:39:55.551762"),  # pull requests
        ("2019-11-28T15:56:02+00:00", "2019-11-28T15:56:02"),  # commits
        ("2026-10-07T18:39:55.14397Z", "2026-10-07T18:39:55.143970"),  # pipelines: digits are trimmed
        ("2026-10-07T18:39:55Z", "2026-10-07T18:39:55"),
        ("2026-10-07T18:39:55.123456789Z", "2026-10-07T18:39:55.123456"),  # ... or there are nine of them
        ("2026-10-07T20:39:55+02:00", "2026-10-07T18:39:55"),
    ],
)
def test_each_spelling_of_a_timestamp_is_read_also_beside_the_others(text: str, expected: str):
    column = timestamp_series(
        [None, text, "2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1))), "rubbish"]
    )
    assert str(column.dtype) == TIMESTAMP
    assert column[1].isoformat() == f"{expected}+00:00"
    assert [one is pd.NaT for one in column] == [True, False, False, False, True]
    for beside in ([], [None], ["2020-01-01T00:00:00Z"], ["rubbish"]):
        alone = SCHEMA.frame({"at": one} for one in [text, *beside])["at"]
        assert str(alone.dtype) == TIMESTAMP
        assert alone[0].isoformat() == f"{expected}+00:00"


# Bitbucket's spellings of timestamps and similar ones: Arrow must read each as Python does.
_digits = st.integers(0, 10**9).map(lambda number: f".{number}")
_texts = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["2026-10-07", "2026-02-29", "1600-01-01", "2026-10-7", ""]),
        st.sampled_from(["T18:39:55", " 18:39:55", "T18:39", "T24:00:00", "T18:39:60", ""]),
        st.just("") | _digits,
        st.sampled_from(["Z", "z", "+00:00", "-03:30", "+0200", "+02", "+24:00", " Z", ""]),
    ),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.none() | _texts, max_size=3))
def test_arrow_and_python_read_the_same_timestamps(texts: list[str | None]):
    pd.testing.assert_series_equal(SCHEMA.frame({"at": text} for text in texts)["at"], timestamp_series(texts), check_names=False)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=5))
def test_a_frame_made_without_pyarrow_holds_the_same(monkeypatch: pytest.MonkeyPatch, listed: list[dict[str, Any]]):
    frame = SCHEMA.frame(listed)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
        plain = SCHEMA.frame(listed)
    assert dtypes(plain) == dtypes(frame)
    assert list(plain["state"].cat.categories) == list(frame["state"].cat.categories)
    pd.testing.assert_frame_equal(plain, frame, check_dtype=False, check_categorical=False)


@pytest.mark.parametrize("odd", [{"name": 7}, {"at": "rubbish"}, {"at": "2026-10-07T18:39:55.123456789Z"}, {"state": "QUEUED"}])
def test_an_odd_value_in_one_row_of_many_changes_no_other_row(odd: dict[str, Any]):
    """Values are converted in pieces: the odd one is in the first, a middle or the last piece."""
    row = {"id": 1, "name": "a", "at": "2026-10-07T18:39:55Z", "spent_seconds": 0.5, "is_new": True, "state": "DONE"}
    for number in (0, 600, 1200):
        listed = [row] * 1201
        listed[number] = odd
        frame = SCHEMA.frame(listed)
        assert dtypes(frame) == DTYPES
        (name,) = odd
        assert frame.drop(index=number).drop_duplicates().to_dict("records") == SCHEMA.frame([row]).to_dict("records")
        assert str(frame[name][number]) == str(SCHEMA.frame([odd])[name][0])


@pytest.mark.parametrize(
    "values", [[1_700_000_000], [True], [1.5, None], ["2026-10-07T18:39:55Z", 7], [datetime(2026, 1, 1, tzinfo=UTC), 7]]
)
def test_a_number_is_not_a_timestamp(values: list[Any]):
    dates = SCHEMA.frame({"at": value} for value in values)["at"]
    assert dates.isna().tolist() == [not isinstance(value, str | datetime) for value in values]


@pytest.mark.parametrize("name", SCHEMA.names)
def test_nulls_of_pandas_are_nulls_in_every_column(name: str):
    for null in (pd.NA, pd.NaT, float("nan")):
        assert SCHEMA.frame([{name: null}, {name: None}])[name].isna().all()


def test_values_of_another_type_are_named_by_their_row():
    builder = FrameBuilder(SCHEMA.columns)
    good = (1, "a", "2026-10-07T18:39:55Z", 0.5, True, "DONE")
    odd = {
        0: (1, ["a"], None, 0.5, True, "DONE"),
        400: (2**70, "a", "rubbish", 0.5, "no", {}),
        950: (1, "a", "0001-01-01T00:00:00Z", None, None, None),
    }
    listed = [odd.get(position, good) for position in range(1000)]
    for start in range(0, 1000, 50):
        builder.add(zip(*listed[start : start + 50], strict=True))
    frame = builder.frame()
    assert builder.unusable() == {0: ["name"], 400: ["id", "at", "is_new", "state"], 950: ["at"]}
    assert frame.isna().sum().to_dict() == {"id": 1, "name": 1, "at": 3, "spent_seconds": 1, "is_new": 2, "state": 2}


def test_a_frame_can_be_changed_in_place():
    """Its arrays must not be views of Arrow's immutable buffers."""
    row = {"id": 1, "name": "a", "at": "2026-10-07T18:39:55Z", "spent_seconds": 0.5, "is_new": True, "state": "DONE"}
    frame = SCHEMA.frame([row, {**row, "id": 2}])
    for name, value in SCHEMA.frame([{**row, "id": 7, "name": "b", "is_new": False, "state": "OPEN"}]).iloc[0].items():
        frame.loc[0, str(name)] = value
    assert (list(frame["id"]), list(frame["name"]), list(frame["is_new"])) == ([7, 2], ["b", "a"], [False, True])
    assert list(frame["state"]) == ["OPEN", "DONE"]


def test_unknown_states_follow_the_known_ones():
    states = SCHEMA.frame([{"state": "QUEUED"}, {"state": "OPEN"}, {"state": None}])["state"]
    assert list(states.cat.categories) == ["OPEN", "DONE", "QUEUED"]


def test_parquet_keeps_the_declared_dtypes(tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "things.parquet"
    with pq.ParquetWriter(path, SCHEMA.arrow()) as writer:
        for piece in ([], [{"id": 1, "state": "QUEUED"}], [{"at": "2026-10-01T08:00:00Z", "is_new": True}]):
            writer.write_table(pa.Table.from_pandas(SCHEMA.frame(piece), schema=SCHEMA.arrow(), preserve_index=False))
    frame = pd.read_parquet(path)
    assert dtypes(frame) == DTYPES
    assert list(frame["state"].astype("string").fillna("-")) == ["QUEUED", "-"]


def test_a_key_must_be_made_of_columns():
    with pytest.raises(ValueError, match="number"):
        Schema("things", ("number",), SCHEMA.columns)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_is_documented_and_keeps_the_rules_of_names(name: str):
    schema = dataset_spec(name).schema
    assert schema.dataset == name
    assert len(set(schema.names)) == len(schema.names)
    for column in schema:
        assert column.meaning, column
        assert column.source, column
        assert (column.unit == "s") == column.name.endswith("_seconds"), column
        assert not column.name.endswith("_on") or column.dtype == TIMESTAMP, column
        assert not column.name.startswith(("is_", "was_")) or column.dtype == BOOLEAN, column


def test_the_docs_of_the_datasets_are_generated_from_the_code():
    page = Path(__file__).parents[2] / "docs" / "datasets.md"
    assert page.read_text() == markdown(), "run: python -m airflow_provider_bitbucket.datasets > docs/datasets.md"


def test_every_dataset_that_dags_can_name_is_in_the_catalog_and_no_other():
    assert [spec.name for spec in SPECS] == list(DATASETS)
    assert all(spec.read or spec.read_workspace for spec in SPECS)
