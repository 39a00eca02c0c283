"""The features and their scopes as tables: in plain text for a log, the Airflow UI or a terminal, and as the docs page.

``python -m airflow_provider_bitbucket.client.scope_table > docs/auth/scopes.md`` writes the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from airflow_provider_bitbucket.client.scopes import (
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
    "pullrequest": "Pull requests: Read",
    "pullrequest:write": "Pull requests: Write",
    "pipeline": "Pipelines: Read",
    "pipeline:write": "Pipelines: Write",
    "account": "Account: Read",
    "webhook": "Webhooks: Read and write",
}

_PAGE = """# Scopes

Made by `python -m airflow_provider_bitbucket.client.scope_table > docs/auth/scopes.md`; a test compares it with the code.

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


def text(granted: Iterable[str] | None) -> str:
    """Return what is granted and what is missing, and a table of features, in columns of fixed width.

    :param granted: scopes in either spelling, None when Bitbucket did not tell; the table then has no verdicts
    """
    if granted is None:
        sentence = "Bitbucket does not tell which scopes these credentials have, so it is not known what is possible with them."
        return "\n".join([sentence, "", *_aligned([_HEAD_OF_BOTH, *(_both(feature) for feature in FEATURES)])])
    granted = frozenset(granted)
    api_token = any(map(is_api_token_scope, granted))
    refused = missing_features(granted)
    lines = [f"Granted scopes: {listed(granted)}."]
    if refused:
        needed = {scope for feature in refused for scope in (feature.scopes if api_token else feature.legacy)}
        lines += [f"Missing scopes: {listed(missing(needed, granted))}."]
        # Again in words: the UI shows the table without its line ends, in letters of different widths.
        everything = len(refused) == len(FEATURES)
        lines += [f"This switches off: {'everything' if everything else '; '.join(one.name for one in refused)}."]
    else:
        lines += ["They are enough for everything this provider does."]
    if granted:
        head = ["feature", "needs"]
        rows = [[feature.name, listed(feature.scopes if api_token else feature.legacy)] for feature in FEATURES]
    else:
        head, rows = _HEAD_OF_BOTH, [_both(feature) for feature in FEATURES]
    verdicts = ["no" if feature in refused else "yes" for feature in FEATURES]
    table = [[*head, "possible"], *([*row, verdict] for row, verdict in zip(rows, verdicts, strict=True))]
    return "\n".join([*lines, "", *_aligned(table)])


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


_HEAD_OF_BOTH = ["feature", "API token needs", "OAuth or access token needs"]


def _both(feature: Feature) -> list[str]:
    return [feature.name, listed(feature.scopes), listed(feature.legacy)]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return lines with bars around the cells: where blanks and line ends get lost, as in the UI, the bars still part them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]


if __name__ == "__main__":
    sys.stdout.write(markdown())
