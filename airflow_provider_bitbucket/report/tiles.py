"""The headline numbers, and their change from the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.metrics.changes import rows_of
from airflow_provider_bitbucket.report.formats import FORMATS, MINUS, count

if TYPE_CHECKING:
    import pandas as pd

#: A median or share of fewer items is not compared, and a share or count that differs by fewer items may have changed by chance.
FEW = 5
#: A smaller change counts as "about the same": relative to the number before, and for shares the difference itself.
SAME, SAME_SHARE = 0.05, 0.01

_TOO_FEW = "too few to compare", "unknown"


@dataclass(frozen=True)
class Headline:
    """Where the number of a tile comes from, and how it is judged.

    :param name: name in XCom
    :param label: label in the report
    :param metric: name of the metric frame
    :param column: column of the number
    :param kind: ``count``, ``duration`` or ``share``
    :param better: ``more`` or ``less``; None if neither is better
    :param basis: column with the number of items behind the median or share; None for a count
    :param things: plural noun of these items
    """

    name: str
    label: str
    metric: str
    column: str
    kind: str
    better: str | None = None
    basis: str | None = None
    things: str = ""


HEADLINES = (
    Headline("merged", "Pull requests merged", "throughput", "merged", "count"),
    Headline(
        "cycle_time", "Cycle time", "cycle_time", "total_median_seconds", "duration", "less", "total_count", "pull requests"
    ),
    Headline(
        "pickup",
        "Wait for first review",
        "cycle_time",
        "pickup_median_seconds",
        "duration",
        "less",
        "pickup_count",
        "reviewed pull requests",
    ),
    Headline(
        *("pipeline_success", "Pipelines successful", "pipeline_health", "success_rate", "share", "more"),
        *("success_rate_count", "pipelines that passed or failed"),
    ),
    Headline(
        *("pipeline_duration", "Pipeline duration", "pipeline_health", "duration_p50_seconds", "duration", "less"),
        *("duration_count", "pipelines"),
    ),
    Headline("deployments", "Production deployments", "dora", "deployments", "count", "more"),
    Headline(
        "lead_time", "Lead time for changes", "dora", "lead_time_median_seconds", "duration", "less", "lead_time_count", "commits"
    ),
    Headline(
        *("change_failure_rate", "Change failure rate", "dora", "change_failure_rate", "share", "less"),
        *("change_failure_rate_count", "completed deployments"),
    ),
    Headline(
        *("recovery", "Time to recover", "dora", "recovery_median_seconds", "duration", "less"),
        *("recovery_count", "failures that were fixed"),
    ),
    Headline(
        *("size", "Pull request size", "cycle_time", "size_median_lines", "count", "less"),
        *("size_count", "pull requests"),
    ),
)
#: Headlines that are proxies without incidents.
_PROXIES = ("change_failure_rate", "recovery")
#: Headlines that are left out if they have no data, because they are read on request.
_OPTIONAL = ("size",)
#: Headlines that a summary names, for each verdict.
_MOST_NAMED = 2


@dataclass(frozen=True)
class Tile:
    """A headline number with its formatted texts.

    :param name: name in XCom
    :param label: label in the report
    :param number: the number; None without data
    :param before: the number of the period before; None without data
    :param value: the number, formatted
    :param basis: number of items behind it, as text
    :param change: the change, as text
    :param earlier: the number of the period before, as text
    :param verdict: ``better``, ``worse``, ``same``, ``neutral`` or ``unknown``
    """

    name: str
    label: str
    number: float | None
    before: float | None
    value: str
    basis: str
    change: str
    earlier: str
    verdict: str

    @property
    def text(self) -> str:
        """The tile as one line of text."""
        return f"{self.label}: {self.value}{f' ({self.basis})' if self.basis else ''}; {self.change} ({self.earlier})"

    @property
    def sign(self) -> str:
        """An arrow for the direction of the change, so that colour is not the only sign."""
        if self.number is None or self.before is None or self.verdict in ("same", "unknown") or self.number == self.before:
            return ""
        return "\N{BLACK UP-POINTING TRIANGLE}" if self.number > self.before else "\N{BLACK DOWN-POINTING TRIANGLE}"


def tiles(frames: Mapping[str, pd.DataFrame], *, with_incidents: bool = False) -> list[Tile]:
    """Return the headline numbers.

    :param frames: the metrics by the names of :func:`~airflow_provider_bitbucket.report.requirements.required_metrics`
    :param with_incidents: whether failures are incidents and not proxies
    """
    found = []
    for headline in HEADLINES:
        tile = tile_of(headline, _row(frames[headline.metric]), _row(frames[f"{headline.metric}_before"]))
        if headline.name in _PROXIES and not with_incidents:
            tile = replace(tile, label=f"{tile.label} (proxy)")
        if headline.name not in _OPTIONAL or tile.number is not None:
            found.append(tile)
    return found


def summary(found: Sequence[Tile]) -> str:
    """Return a sentence that names the headline numbers with the largest changes.

    :param found: the headline numbers
    """
    if all(tile.verdict == "unknown" for tile in found):
        return "There is too little data for a comparison with the period before."
    sentences = []
    for verdict in ("worse", "better"):
        changed = sorted((tile for tile in found if tile.verdict == verdict), key=_relative_change, reverse=True)
        if changed:
            named = ", ".join(f"{tile.label} {tile.value} ({tile.earlier})" for tile in changed[:_MOST_NAMED])
            more = f", and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
            sentences.append(f"{verdict.capitalize()}: {named}{more}.")
    return " ".join(sentences) or "No headline number is clearly better or worse than in the period before."


def _relative_change(tile: Tile) -> float:
    number, before = tile.number or 0, tile.before or 0
    return abs(number - before) / max(abs(before), abs(number)) if number != before else 0.0


def tile_of(headline: Headline, now: Mapping[str, Any], before: Mapping[str, Any]) -> Tile:
    """Return a headline number.

    :param headline: its declaration
    :param now: row of the metric for the period; empty without data
    :param before: row of the metric for the period before; empty without data
    """
    formatted = FORMATS[headline.kind]
    value, old = (row.get(headline.column) for row in (now, before))
    basis, least = "", FEW
    if headline.basis is None:
        value, old = value or 0, old or 0
    else:
        many, least = now.get(headline.basis) or 0, min(row.get(headline.basis) or 0 for row in (now, before))
        middle = "median of " if headline.kind == "duration" and many else ""
        basis = f"{middle}{count(many) if many else 'no'} {headline.things}"
    change, verdict = _TOO_FEW if value is None or old is None or least < FEW else _change(headline, value, old, least)
    earlier = "no earlier value" if old is None else f"before: {formatted(old)}"
    return Tile(headline.name, headline.label, value, old, formatted(value), basis, change, earlier, verdict)


def _change(headline: Headline, value: float, old: float, least: int) -> tuple[str, str]:
    """Return the text and the verdict of a change."""
    difference = value - old
    sign = "+" if difference > 0 else MINUS
    is_little = False
    if headline.kind == "share":
        words, same = f"{sign}{abs(difference) * 100:.1f} points", abs(difference) < SAME_SHARE
        if not same and abs(difference) * least < FEW:  # one more failure among 25 deployments is 4 points, and may be chance
            return _TOO_FEW
    elif headline.kind == "count":
        words, same, is_little = f"{sign}{count(abs(difference))}", difference == 0, abs(difference) < FEW
    else:
        relative = abs(difference) / old if old else float(difference != 0)
        words, same = f"{sign}{relative:.0%}" if old else f"{sign}{FORMATS['duration'](abs(difference))}", relative < SAME
    if same:
        return "about the same" if difference else "the same", "same"
    if headline.better is None or is_little:
        return words, "neutral"
    verdict = "better" if (difference > 0) == (headline.better == "more") else "worse"
    return f"{words}, {verdict}", verdict


def _row(frame: pd.DataFrame) -> Mapping[str, Any]:
    return next(iter(rows_of(frame)), {})
