"""Publish results of data tests as a report on a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_bitbucket.hooks.runs import Run
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, name_if_given, one_of, records, refused, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketCodeInsightsOperator"]

ReportType = Literal["SECURITY", "COVERAGE", "TEST", "BUG"]


def required_records(parameter: str, value: Any) -> Any:
    """Return results as :func:`~airflow_provider_bitbucket.parameters.records` does; they have to be given.

    :raises ValueError: they are not
    """
    if value is None:
        raise refused(parameter, value, "results of tests: a path, a mapping, records or a DataFrame")
    return records(parameter, value)


class BitbucketCodeInsightsOperator(BitbucketRepositoryOperator):
    """Publish results of data tests as a report on a commit, whose findings reviewers see in the pull request's diff::

        dbt = BashOperator(task_id="dbt", bash_command="dbt build ...")
        report = BitbucketCodeInsightsOperator(
            task_id="report",
            trigger_rule="all_done",
            repository="analytics",
            commit="{{ params.commit }}",
            destination="main",
            results="/opt/dbt/target/run_results.json",
            manifest="/opt/dbt/target/manifest.json",
        )

    The report has FAILED if a finding is of another severity than LOW. A failed report does not fail the task. Bitbucket shows
    the reports of the newest commit of a pull request, and can require them before a merge.

    **Under retry** there is one report with the annotations of one attempt: it replaces the report of an earlier attempt or
    run, which is deleted first because its annotations would stay. Costs three requests for up to 100 findings and one for each
    further 100; one more with a short hash, and one with ``destination``. XCom: ``report``, ``commit``, ``result``,
    ``findings``, ``annotations`` and ``link``.

    :param commit: hash of the commit, full or short (templated)
    :param results: ``run_results.json`` of dbt, a validation or checkpoint result of Great Expectations, or a DataFrame or
        records with ``message``, ``path``, ``line`` and ``severity`` (CRITICAL, HIGH, MEDIUM or LOW): the path of a JSON file
        (any of Airflow's ``ObjectStoragePath``), or what another task returned (templated)
    :param manifest: ``manifest.json`` of dbt, likewise, for the paths of models (templated)
    :param path: file that findings without a path are about (templated)
    :param destination: branch that the commit is to be merged into: findings on changed lines come first, and those without a
        line are shown on the first changed line of their file (templated)
    :param report: id of the report; default: one for the task (templated)
    :param title: title; default: the ids of DAG and task (templated)
    :param report_type: TEST, BUG, COVERAGE or SECURITY
    :param link: address that the report leads to; default: the task's log in Airflow (templated)
    :param operator: ``repository`` and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: the results have another form
    :raises BitbucketNotFoundError: the repository or commit does not exist
    """

    template_fields: Sequence[str] = (
        *BitbucketRepositoryOperator.template_fields,
        "commit",
        "results",
        "manifest",
        "path",
        "destination",
        "report",
        "title",
        "link",
    )
    commit = Templated()
    results = Templated()
    manifest = Templated()
    path = Templated()
    destination = Templated()
    report = Templated()
    title = Templated()
    link = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "commit": required_name,
        "results": required_records,
        "manifest": records,
        "path": name_if_given,
        "destination": name_if_given,
        "report": name_if_given,
        "title": name_if_given,
        "link": name_if_given,
    }

    def __init__(
        self,
        *,
        commit: str,
        results: Any,
        manifest: Any = None,
        path: str | None = None,
        destination: str | None = None,
        report: str | None = None,
        title: str | None = None,
        report_type: ReportType = "TEST",
        link: str | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.commit = commit
        self.results = results
        self.manifest = manifest
        self.path = path
        self.destination = destination
        self.report = report
        self.title = title
        self.report_type = one_of("report_type", report_type, ReportType)
        self.link = link

    def perform(self, context: Context) -> dict[str, Any]:
        """Publish the report."""
        from airflow_provider_bitbucket.changes.build_statuses import status_key
        from airflow_provider_bitbucket.changes.code_insights import publish_report
        from airflow_provider_bitbucket.changes.findings import read_results
        from airflow_provider_bitbucket.hooks.documents import read_json

        run = Run.of(context)
        results = read_results(read_json("results", self.results), read_json("manifest", self.manifest), self.path)
        summary = publish_report(
            self.hook.get_conn(),
            self.repository,
            self.commit,
            results,
            report=self.report or status_key(run.dag_id, run.task_id, run.map_index),
            title=self.title or run.title,
            link=self.link or run.url,
            report_type=self.report_type,
            destination=self.destination,
        )
        self.log.info("Report %s of commit %s: %s, %s findings.", *(summary[name] for name in _LOGGED))
        return summary


_LOGGED = ("report", "commit", "result", "findings")
