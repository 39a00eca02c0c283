"""The features and their scopes as tables: in plain text for a log, the Airflow UI or a terminal, and as the docs page.

``python -m airflow_provider_bitbucket.client.auth.scope_table > docs/auth/scopes.md`` writes the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from airflow_provider_bitbucket.client.transport.scopes import (
    FEATURES,
    Feature,
    is_api_token_scope,
    listed,
    missing,
    missing_features,
)

#: What the boxes are called in Atlassian's forms for OAuth consumers and access tokens.
#: Source: support.atlassian.com/bitbucket-cloud/docs/{workspace,repository}-access-token-permissions.
_BOXES = {
    "repository": "Repositories: Read",
    "repository:write": "Repositories: Write",
    "repository:admin": "Repositories: Admin",
    "repository:delete": "Repositories: Delete",
    "project:admin": "Projects: Admin",
    "pullrequest": "Pull requests: Read",
    "pullrequest:write": "Pull requests: Write",
    "pipeline": "Pipelines: Read",
    "pipeline:write": "Pipelines: Write",
    "pipeline:variable": "Pipelines: Edit variables",
    "account": "Account: Read",
    "webhook": "Webhooks: Read and write",
}

_PAGE = """# Scopes

Made by `python -m airflow_provider_bitbucket.client.auth.scope_table > docs/auth/scopes.md`; a test compares it with the code.

Tick what the features that you use need, and no more. `airflow bitbucket check`, the test button of the connection and
every refused request (403) say which scopes are granted, which are missing and which of these features that switches off,
under the same names.

{table}

- The scopes of **API tokens** include nothing else: `write` does not bring `read`, so tick all that a line names.
- The scopes of **OAuth consumers and access tokens** do: `repository:write` brings `repository`; `pullrequest` brings
  `repository`; `pullrequest:write` brings `pullrequest` and `repository:write`; `pipeline:write` brings `pipeline`.
- Starting a pipeline as an OAuth consumer: Atlassian's specification names `pipeline` only, its description of the scopes
  `pipeline:write`. Take `pipeline:write`, which is also needed to stop one.
- Commenting on a pull request and reporting a build status need no `write` scope: so says the specification. It has not been
  tried with every kind of credentials.
- Workspaces and members: the specification asks for `account`. The box *Workspace membership: Read* of an OAuth consumer
  stands for `team`, which Atlassian describes as seeing the workspaces one is in; whether `team` alone is enough is not
  known, so `account` is what counts here. Ticking both does no harm.
- A webhook also needs the scope of the events it is for: `read:pullrequest:bitbucket` or `pullrequest` for pull-request
  events, for example.
- Scopes say what credentials may do at most. The person, or the token's repository, project or workspace, must have the
  rights as well.
"""


def summary(granted: Iterable[str] | None) -> tuple[str, list[str]]:
    """Return how many features the scopes allow, as the end of a sentence, and lines that name what is missing.

    :param granted: scopes in either spelling, None when Bitbucket did not report them
    """
    if granted is None:
        return "Bitbucket does not report the scopes of these credentials", []
    granted = frozenset(granted)
    refused = missing_features(granted)
    if not refused:
        return "all features available", []
    everything = len(refused) == len(FEATURES)
    needed = {scope for feature in refused for scope in _needed(feature, granted)}
    return f"{len(FEATURES) - len(refused)} of {len(FEATURES)} features available", [
        f"Missing scopes: {listed(missing(needed, granted))}.",
        f"This switches off: {'everything' if everything else '; '.join(feature.name for feature in refused)}.",
    ]


def table(granted: Iterable[str] | None) -> str:
    """Return the granted scopes and a table of features, in columns of fixed width.

    :param granted: scopes in either spelling, None when Bitbucket did not report them; the table then has no verdicts
    """
    if granted is None:
        return "\n".join(_table(frozenset(), ["?"] * len(FEATURES)))
    granted = frozenset(granted)
    refused = missing_features(granted)
    verdicts = ["no" if feature in refused else "yes" for feature in FEATURES]
    return "\n".join([f"Granted scopes: {listed(granted)}.", "", *_table(granted, verdicts)])


def _needed(feature: Feature, granted: frozenset[str]) -> frozenset[str]:
    """Return the scopes that a feature needs, in the spelling of the granted ones."""
    return feature.scopes if any(map(is_api_token_scope, granted)) else feature.legacy


def _table(granted: frozenset[str], verdicts: list[str]) -> list[str]:
    """Return lines that begin with a verdict in brackets and end with the scopes that the feature needs."""
    if granted:
        rows = [["feature", "needs"], *([one.name, listed(_needed(one, granted))] for one in FEATURES)]
    else:
        rows = [["feature", "OAuth or access token needs", "API token needs"]]
        rows += [[one.name, listed(one.legacy), listed(one.scopes)] for one in FEATURES]
    marks = ["", *(f"[{verdict}]" for verdict in verdicts)]
    lines = [[f"{mark:5} {name}", *needs] for mark, (name, *needs) in zip(marks, rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def markdown() -> str:
    """Return the docs page."""
    rows = [
        [
            feature.name,
            "<br>".join(f"`{scope}`" for scope in sorted(feature.scopes)),
            "<br>".join(f"`{scope}`" for scope in sorted(feature.legacy)),
            "<br>".join(_BOXES[scope] for scope in sorted(feature.legacy)),
        ]
        for feature in FEATURES
    ]
    head = ["to", "API token", "OAuth consumer, access token", "box in the form of the latter"]
    lines = [head, ["---"] * len(head), *rows]
    return _PAGE.format(table="\n".join(f"| {' | '.join(cells)} |" for cells in lines))


if __name__ == "__main__":
    sys.stdout.write(markdown())
