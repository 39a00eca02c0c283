"""Build the report as plain values from metric frames: tiles, charts and tables, which page and e-mail render."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.metrics.changes import rows_of
from airflow_provider_bitbucket.report.formats import FORMATS, NOTHING, count, duration, plural, share, short_day
from airflow_provider_bitbucket.report.missing import missing
from airflow_provider_bitbucket.report.people import People
from airflow_provider_bitbucket.report.period import Period
from airflow_provider_bitbucket.report.requirements import PERSONS, STALE, TIMES
from airflow_provider_bitbucket.report.tiles import HEADLINES, Tile, summary, tile_of, tiles

if TYPE_CHECKING:
    import pandas as pd

#: Maximum rows of tables: enough to act on, and the e-mail stays below the 102 kB at which Gmail truncates.
ROWS, PEOPLE, REPOSITORIES = 8, 15, 30


@dataclass(frozen=True)
class Chart:
    """A chart of numbers by week.

    :param name: name for HTML ids
    :param title: heading
    :param kind: ``bars`` (side by side), ``stack`` or ``lines``
    :param unit: ``duration``, ``share`` or ``count``
    :param series: name -> a number for each week; None for a week without data
    :param note: explanation below the chart
    """

    name: str
    title: str
    kind: str
    unit: str
    series: Mapping[str, Sequence[float | None]]
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the chart has nothing to show."""
        nothing = (None,) if self.kind == "lines" else (None, 0)  # a line at 0 % is visible, a bar of height 0 is not
        return all(value in nothing for values in self.series.values() for value in values)


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    :param text: its text
    :param href: URL of its link; None for no link
    :param bar: length of its bar, between 0 and 1; None for no bar
    :param change: change from the period before, as text
    """

    text: str
    href: str | None = None
    bar: float | None = None
    change: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    :param name: name for HTML ids
    :param title: heading
    :param note: explanation below the heading
    :param columns: column headings; the first column names the row, the others are numeric unless they are in ``texts``
    :param rows: cells of each row
    :param nothing: text to show if there are no rows
    :param texts: headings of further columns with text
    """

    name: str
    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    nothing: str
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """The report as plain values, ready to render.

    :param title: heading
    :param scope: workspace or repository, as text
    :param period: its period
    :param tiles: headline numbers
    :param charts: charts by week
    :param weeks: labels of the weeks of the charts
    :param old_weeks: how many of these weeks begin before the period
    :param tables: tables by name
    :param missing: sentences about data that could not be read and is not included in the numbers
    :param definitions: term -> meaning
    :param summary: sentence about the headline numbers with the largest changes
    """

    title: str
    scope: str
    period: Period
    tiles: Sequence[Tile]
    charts: Sequence[Chart]
    weeks: Sequence[str]
    old_weeks: int
    tables: Mapping[str, Table]
    missing: Sequence[str] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def subject(self) -> str:
        """The subject of the e-mail, without line breaks."""
        return f"{' '.join(self.title.split())}: {self.period.words}"


def write(
    frames: Mapping[str, pd.DataFrame],
    period: Period,
    repositories: Sequence[str],
    web_url: str,
    title: str | None = None,
    *,
    exclude_people: Collection[str] = (),
    with_incidents: bool = False,
) -> Report:
    """Build the report from metric frames.

    :param frames: the metrics by the names of :func:`~airflow_provider_bitbucket.report.requirements.required_metrics`
    :param period: period of the report
    :param repositories: ``workspace/slug`` of the repositories that were read
    :param web_url: base URL of Bitbucket's pages; only URLs below it are linked
    :param title: heading; default: the workspace or the repository
    :param exclude_people: display names of people who are not named in the report; :data:`EVERYONE`: no names at all
    :param with_incidents: whether failures are incidents and not proxies
    """
    mondays, people = period.mondays, People(exclude_people)
    tables = [
        _weeks(frames, mondays),
        _repositories(frames, repositories, web_url),
        _people(people.named(frames[PERSONS], "reviewer")),
        _slowest(people.hidden(frames[TIMES], "author"), web_url),
        _stalest(people.hidden(frames[STALE], "author"), web_url),
    ]
    headlines = tiles(frames, with_incidents=with_incidents)
    workspaces = sorted({name.partition("/")[0] for name in repositories})
    about = repositories[0] if len(repositories) == 1 else ", ".join(workspaces) or "no repositories"
    return Report(
        title=title or f"Bitbucket report: {about}",
        scope=repositories[0] if len(repositories) == 1 else f"{about}, {plural(len(repositories), 'repository')}",
        period=period,
        tiles=headlines,
        charts=_charts(frames, mondays),
        weeks=[short_day(monday) for monday in mondays],
        old_weeks=sum(monday < period.since for monday in mondays),
        tables={table.name: table for table in tables},
        missing=missing(frames.values()),
        definitions={**DEFINITIONS, **(_OF_INCIDENTS if with_incidents else _OF_PROXIES)},
        summary=summary(headlines),
    )


def _charts(frames: Mapping[str, pd.DataFrame], mondays: Sequence[Any]) -> list[Chart]:
    def series(metric: str, column: str, *, zero: bool = False) -> list[float | None]:
        known = {row["week"]: row[column] for row in rows_of(frames[f"{metric}_by_week"])}
        return [value if (value := known.get(monday)) is not None else 0 if zero else None for monday in mondays]

    parts = {"until first review": "pickup", "in review": "review", "until merge": "merge"}
    return [
        Chart(
            "cycle-time",
            "Where the time goes",
            "stack",
            "duration",
            {name: series("cycle_time", f"{part}_median_seconds") for name, part in parts.items()},
            "The median of each part, by week of the merge. Medians of parts do not add up to the median of the whole.",
        ),
        Chart(
            "throughput",
            "Pull requests opened and merged",
            "bars",
            "count",
            {name: series("throughput", name, zero=True) for name in ("opened", "merged")},
        ),
        Chart(
            "lead-time",
            "From commit to production",
            "lines",
            "duration",
            {"median lead time": series("dora", "lead_time_median_seconds")},
            "By week of the deployment.",
        ),
        Chart(
            "pipeline-success",
            "Pipelines that succeed",
            "lines",
            "share",
            {"success rate": series("pipeline_health", "success_rate")},
            "Stopped and expired pipelines count neither way.",
        ),
        Chart(
            "pipeline-duration",
            "How long pipelines run",
            "lines",
            "duration",
            {
                "median": series("pipeline_health", "duration_p50_seconds"),
                "95th percentile": series("pipeline_health", "duration_p95_seconds"),
            },
        ),
        Chart(
            "deployments",
            "Deployments to production",
            "bars",
            "count",
            {
                "successful": series("dora", "deployments", zero=True),
                "failed or rolled back": series("dora", "failures", zero=True),
            },
            "A deployment that succeeded and was rolled back is counted in both.",
        ),
    ]


def _weeks(frames: Mapping[str, pd.DataFrame], mondays: Sequence[Any]) -> Table:
    columns = {
        "Opened": ("throughput", "opened", "count"),
        "Merged": ("throughput", "merged", "count"),
        "Cycle time": ("cycle_time", "total_median_seconds", "duration"),
        "Pipelines successful": ("pipeline_health", "success_rate", "share"),
        "Deployments": ("dora", "deployments", "count"),
    }
    known = {metric: _by(frames[f"{metric}_by_week"], "week") for metric, _, _ in columns.values()}
    rows = [
        [
            Cell(short_day(monday).replace(" ", "\N{NO-BREAK SPACE}")),
            *(_formatted(known[metric].get(monday), column, kind) for metric, column, kind in columns.values()),
        ]
        for monday in mondays
    ]
    return Table("weeks", "Week by week", "Weeks begin on Monday, UTC.", ["Week of", *columns], rows, "No weeks.")


def _repositories(frames: Mapping[str, pd.DataFrame], repositories: Sequence[str], web_url: str) -> Table:
    columns = {
        "Merged": ("throughput", "merged", "count"),
        "Cycle time": ("cycle_time", "total_median_seconds", "duration"),
        "Wait for first review": ("cycle_time", "pickup_median_seconds", "duration"),
        "Merged unapproved": ("cycle_time", "merged_unapproved", "count"),
        "Pipelines": ("pipeline_health", "pipelines", "count"),
        "Successful": ("pipeline_health", "success_rate", "share"),
        "Pipeline duration": ("pipeline_health", "duration_p50_seconds", "duration"),
        "Deployments": ("dora", "deployments", "count"),
    }

    def cell(name: str, metric: str, column: str, kind: str) -> Cell:
        skipped = {one["repository"] for one in frames[f"{metric}_by_repository"].attrs.get("skipped", ())}
        if name in skipped:
            return Cell(NOTHING)
        headline = next((one for one in HEADLINES if (one.metric, one.column) == (metric, column)), None)
        tile = tile_of(headline, known[metric].get(name, {}), before[metric].get(name, {})) if headline else None
        change = tile.change if tile and tile.verdict in ("better", "worse", "neutral") else ""
        return replace(_formatted(known[metric].get(name), column, kind), change=change)

    metrics = {metric for metric, _, _ in columns.values()}
    known = {metric: _by(frames[f"{metric}_by_repository"], "repository") for metric in metrics}
    before = {metric: _by(frames[f"{metric}_by_repository_before"], "repository") for metric in metrics}
    busiest = sorted(repositories, key=lambda name: (-(known["throughput"].get(name, {}).get("merged") or 0), name))
    rows = [
        [
            Cell(_short(name, repositories), f"{web_url}/{name}"),
            *(cell(name, *which) for which in columns.values()),
        ]
        for name in busiest[:REPOSITORIES]
    ]
    note = f"The {REPOSITORIES} with most merges of {len(busiest)}. " if len(busiest) > REPOSITORIES else ""
    return Table(
        "repositories",
        "By repository",
        f"{note}Times are medians; with few items they mean little. Changes are from the period before, if they can be compared.",
        ["Repository", *columns],
        rows,
        "There are no repositories.",
    )


def _people(frame: pd.DataFrame) -> Table:
    people = rows_of(frame.sort_values(["reviewed", "requested", "reviewer"], ascending=[False, False, True], kind="stable"))
    most = max((row["reviewed"] for row in people), default=0) or 1
    rows = [
        [
            Cell(row["reviewer"] or "deleted account"),
            Cell(count(row["reviewed"]), bar=row["reviewed"] / most),
            Cell(share(row["share_of_reviews"])),
            Cell(count(row["requested"])),
            Cell(count(row["unanswered"])),
            Cell(duration(row["response_median_seconds"])),
        ]
        for row in people[:PEOPLE]
    ]
    rest = f" The {PEOPLE} of {len(people)} people with the most reviews." if len(people) > PEOPLE else ""
    return Table(
        "people",
        "Reviewers",
        f"Each pull request counts once per person. The table shows how the load is distributed, not how good a person is.{rest}",
        ["Person", "Reviewed", "Share", "Requested", "Unanswered", "Median response"],
        rows,
        "No reviews were requested or given.",
    )


def _slowest(times: pd.DataFrame, web_url: str) -> Table:
    slowest = times[times["total_seconds"].notna()].sort_values("total_seconds", ascending=False, kind="stable")
    parts = ("total", "pickup", "review", "merge")
    rows = [
        [_title(row, web_url), *_where(row), *(Cell(duration(row[f"{part}_seconds"])) for part in parts)]
        for row in rows_of(slowest.head(ROWS))
    ]
    return Table(
        "slowest",
        "Slowest merged pull requests",
        "Where the time went, not counting the time as a draft.",
        ["Pull request", "Repository", "Author", "Cycle time", "Until first review", "Review", "Merge"],
        rows,
        "No pull requests were merged.",
        ("Repository", "Author"),
    )


def _stalest(stale: pd.DataFrame, web_url: str) -> Table:
    rows = [
        [
            _title(row, web_url),
            *_where(row),
            *(Cell(duration(row[f"{name}_seconds"])) for name in ("idle", "open")),
            *(Cell(count(row[name])) for name in ("reviewers", "approvals")),
        ]
        for row in rows_of(stale.head(ROWS))
    ]
    rest = f" The first {ROWS} of {len(stale)}." if len(stale) > ROWS else ""
    return Table(
        "stalest",
        "Open pull requests without an update for 14 days or longer",
        f"Finish them, or decline them.{rest}",
        ["Pull request", "Repository", "Author", "Idle for", "Open for", "Reviewers", "Approvals"],
        rows,
        "None: every open pull request was updated recently.",
        ("Repository", "Author"),
    )


def _title(row: Mapping[str, Any], web_url: str) -> Cell:
    url = row["url"]
    # The URL comes from an answer: link it only if it is below Bitbucket's base URL.
    is_safe = isinstance(url, str) and url.startswith(f"{web_url}/")
    return Cell(f"#{row['id']} {row['title'] or ''}".strip(), url if is_safe else None)


def _where(row: Mapping[str, Any]) -> list[Cell]:
    return [Cell(row["repository"].partition("/")[2]), Cell(row["author"] or "deleted account")]


def _short(name: str, names: Sequence[str]) -> str:
    workspace, _, slug = name.partition("/")
    return slug if all(other.startswith(f"{workspace}/") for other in names) else name


def _by(frame: pd.DataFrame, column: str) -> dict[Any, Mapping[str, Any]]:
    return {row[column]: row for row in rows_of(frame)}


def _formatted(row: Mapping[str, Any] | None, column: str, kind: str) -> Cell:
    value = row[column] if row else None
    return Cell(FORMATS[kind](0 if value is None and kind == "count" else value) or NOTHING)


DEFINITIONS = {
    "Median": "half took longer, half took less. Means are not shown: one pull request forgotten for a year dominates a mean.",
    "Cycle time": "from opening to merge, not counting the time as a draft, of the pull requests merged in the period. Nights "
    "and weekends count. Pull requests of bots are excluded.",
    "Wait for first review": "from opening to the first approval, request for changes or comment by another person.",
    "Pipelines successful": "successful / (successful + failed + error), of the pipelines that completed in the period.",
    "Lead time for changes": "from commit to the first successful production deployment that contains it (DORA).",
    "Too few to compare": "a median or share of fewer than 5 items now or before, or a share that differs by fewer than 5 items, "
    "is shown but not compared. About the same means a change of less than 5%, or of 1 percentage point.",
}
_OF_PROXIES = {
    "Change failure rate (proxy)": "deployments that failed or were rolled back / completed deployments. Bitbucket records "
    "deployments, not outages: compare it with your own earlier periods, not with other teams.",
    "Time to recover (proxy)": "from the end of such a deployment to the end of the successful one that replaced it.",
}
_OF_INCIDENTS = {
    "Change failure rate": "deployments after which an incident began / successful deployments (DORA).",
    "Time to recover": "from the end of such a deployment until its last incident was resolved (DORA).",
}
