"""Output paths refused by their text alone: of a folder, of another format, or with an empty part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket.sinks.outputs import HTML, PARQUET, check_path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty; a template"),
        (" ", "is empty; a template"),
        ("None", "is empty; a template"),
        ("/", "ends in '/'"),
        ("/data/lake/", "ends in '/'"),
        ("file:///data/lake/", "ends in '/'"),
        ("s3://bucket/lake/", "ends in '/'"),
        ("/data//prs.parquet", "has an empty part"),
        ("/data/ /prs.parquet", "has an empty part"),
        ("s3://bucket//prs.parquet", "has an empty part"),
        ("s3://bucket", "names a bucket or host"),
        ("s3://bucket/", "names a bucket or host"),
        ("s3://conn@bucket", "names a bucket or host"),
        ("s3:///prs.parquet", "names a bucket or host"),
        ("s3://conn@/lake/prs.parquet", "has an empty part"),
        ("s3://", "names a bucket or host"),
        ("file://", "ends in '/'"),
        ("../prs.parquet", r"contains '\.' or '\.\.'"),
        ("/data/lake/..", r"contains '\.' or '\.\.'"),
        ("s3://bucket/./prs", r"contains '\.' or '\.\.'"),
        ("~/prs.parquet", "begins with '~'"),
        ("~airflow/prs.parquet", "begins with '~'"),
        ("file://~/prs.parquet", "begins with '~'"),
        ("/data/prs.csv", "has the suffix of another format, but Parquet is written"),
        ("/data/prs.PDF", "has the suffix of another format"),
        ("/data/prs.parquet.gz", "has the suffix of another format"),
        ("s3://bucket/prs.json", "has the suffix of another format"),
        ("s3://bucket/prs.html", "has the suffix of another format"),
    ],
)
def test_an_unusable_path_is_refused_and_nothing_is_written(path: str, reason: str):
    with pytest.raises(ValueError, match=rf"^Output path .* {reason}.*Nothing was written$"):
        check_path(path, PARQUET)


@pytest.mark.parametrize("path", ["report.pdf", "/data/report.csv", "/data/report.parquet", "/data/report.xlsx"])
def test_a_report_is_no_other_format_than_html(path: str):
    with pytest.raises(ValueError, match="HTML is written"):
        check_path(path, HTML)


@pytest.mark.parametrize(
    "path",
    [
        *("prs.parquet", "lake/prs", "/prs.pq", "/data/prs-2026.11.28", "file:///data/prs.parquet", "file:/data/prs.parquet"),
        *("s3://bucket/prs", "s3://conn@bucket/lake/prs.PARQUET", "hdfs:///lake/prs", "hdfs://name-node:8020/lake/prs"),
        *("abfs://container@account.dfs.core.windows.net/prs", "/data/~backup/prs", "/data/a..b/prs"),
        "/data/run_id=manual__2026-11-28T00:00:00+00:00/prs.parquet",
    ],
)
def test_a_path_of_a_file_is_taken(path: str):
    check_path(path, PARQUET)


@given(st.sampled_from(["/data/", "file:///data/", "s3://bucket/", "gs://bucket/a/"]), st.text(alphabet="/ .\t\n", max_size=6))
def test_no_template_that_renders_to_blanks_dots_or_slashes_names_a_file(folder: str, rendered: str):
    if {*rendered.split("/")} <= {"", " ", ".", ".."} or not rendered.replace("/", "").strip():
        with pytest.raises(ValueError, match="Nothing was written"):
            check_path(f"{folder}{rendered}", PARQUET)
