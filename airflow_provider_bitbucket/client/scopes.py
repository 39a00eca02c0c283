"""Which scopes a feature needs, in both spellings, and what the lack of them switches off.

API tokens carry names like ``read:pipeline:bitbucket``, which include nothing else; OAuth consumers and access tokens carry
legacy names like ``pipeline:write``, which do. Source: published OpenAPI (``x-atlassian-oauth2-scopes``) and
developer.atlassian.com/cloud/bitbucket/bitbucket-cloud-rest-api-scopes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: What a legacy scope brings along.
_IMPLIED = {
    "repository:write": {"repository"},
    "pullrequest": {"repository"},
    "pullrequest:write": {"pullrequest", "repository:write"},
    "pipeline:write": {"pipeline"},
    "pipeline:variable": {"pipeline:write"},
    "account:write": {"account"},
    "account": {"email"},
    "team:write": {"team"},
    "project": {"repository"},
}


@dataclass(frozen=True)
class Feature:
    """Something a user wants to do and what it takes.

    :param name: as a person would say it
    :param scopes: API-token scopes, all of which are needed
    :param legacy: the OAuth scope that is enough
    """

    name: str
    scopes: frozenset[str]
    legacy: str


def _feature(name: str, scopes: str, legacy: str) -> Feature:
    return Feature(name, frozenset(f"{scope}:bitbucket" for scope in scopes.split()), legacy)


FEATURES = (
    _feature("read repositories, branches and commits", "read:repository", "repository"),
    _feature("change branches and files", "read:repository write:repository", "repository:write"),
    _feature("read pull requests and their metrics", "read:pullrequest", "pullrequest"),
    _feature("change pull requests", "read:pullrequest write:pullrequest", "pullrequest:write"),
    _feature("read pipelines and deployments", "read:pipeline", "pipeline"),
    _feature("start and stop pipelines", "read:pipeline write:pipeline", "pipeline:write"),
    _feature("show the account", "read:user", "account"),
    _feature("list workspaces and members", "read:workspace", "account"),
    _feature("manage webhooks", "read:webhook write:webhook", "webhook"),
)


def parse(header: str) -> frozenset[str]:
    """Return the scopes of an ``X-OAuth-Scopes`` header."""
    return frozenset(header.replace(",", " ").split())


def missing_features(granted: Iterable[str]) -> tuple[Feature, ...]:
    """Return the features that these scopes do not allow.

    :param granted: scopes in either spelling
    """
    held = _with_implied(granted)
    return tuple(feature for feature in FEATURES if not feature.scopes <= held and feature.legacy not in held)


def _with_implied(granted: Iterable[str]) -> frozenset[str]:
    held: set[str] = set()
    pending = list(granted)
    while pending:
        scope = pending.pop()
        if scope not in held:
            held.add(scope)
            pending += _IMPLIED.get(scope, ())
    return frozenset(held)
