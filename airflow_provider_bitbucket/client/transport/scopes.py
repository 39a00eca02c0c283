"""Which scopes a feature needs, in both spellings, and what the lack of them switches off.

API tokens carry names like ``read:pipeline:bitbucket``, which include nothing else; OAuth consumers and access tokens carry
legacy names like ``pipeline:write``, which do. Source: published OpenAPI (``x-atlassian-oauth2-scopes`` and ``security``) and
developer.atlassian.com/cloud/bitbucket/bitbucket-cloud-rest-api-scopes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: API-token scopes and the legacy scope that allows the same: the one place that knows both spellings.
#: The specification asks for ``account``, not ``team``, wherever workspaces and their members are listed.
_LEGACY = {
    f"{scope}:bitbucket": legacy
    for scope, legacy in {
        "read:repository": "repository",
        "write:repository": "repository:write",
        "admin:repository": "repository:admin",
        "delete:repository": "repository:delete",
        "read:pullrequest": "pullrequest",
        "write:pullrequest": "pullrequest:write",
        "read:pipeline": "pipeline",
        "write:pipeline": "pipeline:write",
        "admin:pipeline": "pipeline:variable",
        "read:user": "account",
        "read:workspace": "account",
        "read:project": "project",
        "admin:project": "project:admin",
        "read:webhook": "webhook",
        "write:webhook": "webhook",
        "delete:webhook": "webhook",
        "read:runner": "runner",
        "write:runner": "runner:write",
    }.items()
}

#: What a legacy scope brings along.
_IMPLIED = {
    "repository:write": {"repository"},
    "pullrequest": {"repository"},
    "pullrequest:write": {"pullrequest", "repository:write"},
    "pipeline:write": {"pipeline"},
    "pipeline:variable": {"pipeline:write"},
    "runner:write": {"runner"},
    "account:write": {"account"},
    "account": {"email"},
    "team:write": {"team"},
    "project": {"repository"},
}

_LONGEST_LIST = 1000


@dataclass(frozen=True)
class Feature:
    """A feature of the provider and the scopes that it needs.

    :param name: as a person would say it
    :param scopes: API-token scopes, all of which are needed
    """

    name: str
    scopes: frozenset[str]

    @property
    def legacy(self) -> frozenset[str]:
        """The scopes in the spelling of OAuth consumers and access tokens, without those that another one includes."""
        return other_spelling(self.scopes)


def _feature(name: str, scopes: str) -> Feature:
    return Feature(name, frozenset(f"{scope}:bitbucket" for scope in scopes.split()))


FEATURES = (
    _feature("read repositories and commits", "read:repository"),
    _feature("report build statuses", "read:repository"),  # sic: to write one is no write of the repository
    _feature("change branches and files", "read:repository write:repository"),
    _feature("administer repositories", "admin:repository"),
    _feature("delete repositories", "delete:repository"),
    _feature("administer projects", "admin:project"),
    _feature("read pull requests", "read:pullrequest"),
    # The diffstat of a pull request redirects to that of the repository.
    _feature("read diffs of pull requests", "read:pullrequest read:repository"),
    _feature("comment on pull requests", "read:pullrequest"),  # sic
    _feature("change and merge pull requests", "read:pullrequest write:pullrequest"),
    _feature("read pipelines and deployments", "read:pipeline"),
    _feature("start and stop pipelines", "read:pipeline write:pipeline"),
    _feature("change pipeline variables", "admin:pipeline"),  # and environments
    _feature("show the account", "read:user"),
    _feature("list workspaces and members", "read:workspace"),
    _feature("manage webhooks", "read:webhook write:webhook"),
    _feature("remove webhooks", "delete:webhook"),
)


def parse(header: str) -> frozenset[str]:
    """Return the scopes of an ``X-OAuth-Scopes`` header."""
    return frozenset(header.replace(",", " ").split())


def is_api_token_scope(scope: str) -> bool:
    """Return whether a scope is spelled as those of API tokens, not as those of OAuth consumers."""
    return scope.endswith(":bitbucket")


def other_spelling(scopes: Iterable[str]) -> frozenset[str]:
    """Translate scopes between API-token and legacy OAuth names, omitting those without an equivalent.

    :param scopes: scopes in either spelling, or in both
    """
    given = frozenset(scopes)
    legacy = {_LEGACY[scope] for scope in given if scope in _LEGACY}
    brought_along = {more for scope in legacy for more in _with_implied([scope]) - {scope}}
    held = _with_implied(given)
    return frozenset(legacy - brought_along) | {scope for scope, name in _LEGACY.items() if name in held}


def missing(required: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
    """Return those of the required scopes that the granted ones, in either spelling, do not allow."""
    held = _with_implied(granted)
    return frozenset(scope for scope in required if scope not in held and _LEGACY.get(scope) not in held)


def missing_features(granted: Iterable[str]) -> tuple[Feature, ...]:
    """Return the features that these scopes do not allow.

    :param granted: scopes in either spelling
    """
    granted = frozenset(granted)
    return tuple(feature for feature in FEATURES if missing(feature.scopes, granted))


def explain_refusal(required: Iterable[str], granted: Iterable[str]) -> str:
    """Return a few lines on the missing scopes of a refused request and the other features that lack them.

    :param required: what Bitbucket wanted for the request, in either spelling
    :param granted: what the credentials have
    """
    required, granted = frozenset(required), frozenset(granted)
    lacking = missing(required, granted) or required
    lacking_too = {scope for scope, legacy in _LEGACY.items() if lacking & {scope, legacy}}
    refused = [feature.name for feature in missing_features(granted) if feature.scopes & lacking_too]
    lines = [f"Missing: {in_both_spellings(lacking)}.", f"Granted: {in_both_spellings(granted)}."]
    return "\n".join([*lines, *([f"This switches off: {'; '.join(refused)}."] if refused else [])])


def in_both_spellings(scopes: Iterable[str]) -> str:
    """Return a list for a person, with the other spelling in brackets."""
    scopes = frozenset(scopes)
    other = other_spelling(scopes)
    if not other:
        return listed(scopes)
    whose = "OAuth and access tokens" if any(map(is_api_token_scope, scopes)) else "API tokens"
    return f"{listed(scopes)} ({whose}: {listed(other)})"


def listed(scopes: Iterable[str]) -> str:
    """Return scopes as sorted text of limited length, for messages."""
    return ", ".join(" ".join(scope.split()) for scope in sorted(scopes))[:_LONGEST_LIST] or "none"


def _with_implied(granted: Iterable[str]) -> frozenset[str]:
    held: set[str] = set()
    pending = list(granted)
    while pending:
        scope = pending.pop()
        if scope not in held:
            held.add(scope)
            pending += _IMPLIED.get(scope, ())
    return frozenset(held)
