"""The sentences of a report about data that could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.report.formats import plural

if TYPE_CHECKING:
    import pandas as pd

#: How many incomplete records are named, and how many characters of an error are shown.
_MOST_NAMED, _LONGEST_ERROR = 5, 300


def missing(frames: Iterable[pd.DataFrame]) -> list[str]:
    """Return one sentence for each dataset of a repository that could not be read, and one for all incomplete records.

    :param frames: metrics, with ``attrs`` as :meth:`hook.metrics.get_dfs` sets them
    """
    skipped: dict[tuple[str, str], str] = {}
    incomplete: dict[tuple[str, str], str] = {}
    for frame in frames:
        skipped |= {(one["repository"], one["dataset"]): one["error"] for one in frame.attrs.get("skipped", ())}
        incomplete |= {(one["repository"], one["record"]): one["missing"] for one in frame.attrs.get("incomplete", ())}
    found = [
        f"{repository} is not included in the numbers about {dataset.replace('_', ' ')}: they could not be read. "
        f"Reason: {error[:_LONGEST_ERROR]}"
        for (repository, dataset), error in sorted(skipped.items())
    ]
    if incomplete:
        named = [
            f"{record} of {repository} ({'omitted' if part == 'row' else f'without {part}'})"
            for (repository, record), part in sorted(incomplete.items())[:_MOST_NAMED]
        ]
        rest = f", and {len(incomplete) - len(named):,} more" if len(incomplete) > len(named) else ""
        found.append(f"{plural(len(incomplete), 'record')} could not be read completely: {', '.join(named)}{rest}.")
    return found
