"""Where the live API is known to differ from its published specification, each with the reason.

Everything else that differs is a defect of ours. The contract test fails on an entry that nothing needs any more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """A tolerated difference.

    :param where: regular expression searched in ``METHOD template status`` (``request`` in place of status for requests)
    :param problem: regular expression of the whole line that :meth:`tests.openapi.OpenApi.problems` gives
    :param reason: how the live API is known to behave
    """

    where: str
    problem: str
    reason: str


DEVIATIONS: tuple[Deviation, ...] = ()

#: (operation, status it answers) -> (status whose documentation applies, reason)
STATUS_DEVIATIONS: dict[tuple[str, int], tuple[str, str]] = {
    ("POST /repositories/{workspace}/{repo_slug}/commit/{commit}/statuses/build", 200): (
        "201",
        "200 when the key existed and was overwritten: the operation's text says so, its list of answers does not",
    ),
}

#: Routes of the live API that its specification does not have.
UNDOCUMENTED_ROUTES: dict[str, str] = {}
