"""Write a report of the delivery metrics as a page and an e-mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.operators.frames import BitbucketFrameOperator
from airflow_provider_bitbucket.parameters import interval, name, required_location, required_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.report import Period

__all__ = ["BitbucketReportOperator"]

EMAIL_XCOM = "email_html"


class BitbucketReportOperator(BitbucketFrameOperator):
    """Write the delivery metrics of a workspace or its repositories in a period as one HTML page and as an e-mail.

    Both have the same contents: headline numbers and their change from the period before, cycle time, throughput, pipelines and
    deployments by week, review load by person, the slowest and the longest open pull requests. The page, which has charts and
    needs no other file, is written to ``output_path``; the e-mail has numbers only, because mail programs drop images.
    docs/metrics.md defines the metrics. Needs the extra ``report``. Costs as much as ``cycle_time``, ``pipeline_health``,
    ``dora`` and ``stale_pull_requests`` for twice the period, with shared datasets read once.

    :param output_path: any path of ``ObjectStoragePath``, such as ``s3://bucket/report.html`` (templated); an existing file is
        replaced, a folder never
    :param weeks: number of whole weeks (Monday to Sunday, UTC) before the end of the data interval, if ``since`` is not set
    :param title: heading; default: the name of the workspace or the repository (templated)
    :param repositories: slugs, or one; None: all repositories of the workspace (templated)
    :param since: start of the interval, ISO 8601 (templated); default: ``weeks`` before ``until``
    :param until: end of the interval, exclusive (templated); default: the last Monday in UTC up to the end of the data interval,
        else the scheduled start of the run. The period before has the same length and ends at ``since``
    :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account (templated)
    :param on_repository_error: ``fail``: a repository that cannot be read fails the task; ``skip``: the report is written
        without it and names it at the top
    :param operator: ``bitbucket_conn_id``, ``workspace``, ``run_as`` and the other parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: ``path``, ``subject`` (for an e-mail), ``since``, ``until``, and ``headline``: name -> ``value`` (seconds, share
        between 0 and 1, or count; None: no data), ``before``, ``verdict`` (``better``, ``worse``, ``same``, ``neutral``
        or ``unknown``: too few to compare) and ``text``; ``missing``: sentences about
        data that could not be read, as on the page. XCom ``email_html`` is the e-mail
    :raises AirflowFailException: matplotlib is not installed; no request has been made then
    :raises ValueError: a malformed timestamp or empty period; an ``output_path`` that may not be written
    :raises BitbucketError: a repository cannot be read
    """

    template_fields = (*BitbucketFrameOperator.template_fields, "title")
    parameter_kinds = {**BitbucketFrameOperator.parameter_kinds, "output_path": required_location, "title": name}

    def __init__(self, *, output_path: str, weeks: int = 4, title: str | None = None, **operator: Any) -> None:
        super().__init__(output_path=output_path, **operator)
        self.weeks = required_number("weeks", weeks)
        self.title = title

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the datasets and write the report."""
        from airflow_provider_bitbucket import report

        try:
            report.check_extra()
        except ImportError as error:
            raise AirflowFailException(str(error)) from error
        path = self.check_output(output_format="HTML")
        period = self._period(context)
        bots = tuple(self.bots or ())
        names = self.hook.datasets.repository_names(self.repositories)
        frames = self.hook.metrics.get_dfs(report.asked(period, bots), names, on_repository_error=self.on_repository_error)
        written = report.write(frames, period, names, self.hook.get_conn().web_url, self.title)
        self.hook.files.write_text(report.page(written), path)
        if self.do_xcom_push and "ti" in context:
            context["ti"].xcom_push(key=EMAIL_XCOM, value=report.email(written, path))
        self.log.info("Wrote the report of %s to %s.", period.words, self.output_path)
        return {
            "path": self.output_path,
            "subject": written.subject,
            "since": period.since.isoformat(),
            "until": period.until.isoformat(),
            "missing": list(written.missing),
            "headline": {
                tile.name: {"value": tile.number, "before": tile.before, "verdict": tile.verdict, "text": tile.text}
                for tile in written.tiles
            },
        }

    def _period(self, context: Context) -> Period:
        from airflow_provider_bitbucket import report

        since, until = interval(self.since, self.until)
        if since and until:
            return report.Period(since, until)
        if until:
            return report.Period(until - self.weeks * report.WEEK, until)
        last = report.last_whole_weeks(_now_of(context), self.weeks)
        return report.Period(since, last.until) if since else last


def _now_of(context: Context) -> datetime:
    """Return the end of the run's data interval; for a manual run, which has none, its scheduled start."""
    end = context.get("data_interval_end") or getattr(context.get("dag_run"), "run_after", None) or datetime.now(UTC)
    return datetime.fromtimestamp(end.timestamp(), UTC)
