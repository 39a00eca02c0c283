"""Reads ``bitbucket-pipelines.yml``: which pipelines a commit defines, and their steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

FILE_NAME = "bitbucket-pipelines.yml"
STEP_SECONDS = 10.0


"""Duration of a step without a script; a pipeline of two or three takes half a minute."""


Steps = list[dict[str, Any]]


class DefinitionError(Exception):
    """The file is no definition of pipelines; Bitbucket ends such a pipeline with result ERROR."""


@dataclass(frozen=True)
class Definitions:
    """The pipelines of a ``bitbucket-pipelines.yml``: kind of selector -> pattern -> steps (fields of ``state.Step``).

    Kinds are those of the API's selectors: default (its only pattern is the empty one), branches, tags,
    pull-requests, custom.
    """

    steps: dict[str, dict[str, Steps]]

    def select(self, kind: str, name: str) -> dict[str, str] | None:
        """Return the selector that a ref of this name matches, None when nothing does.

        :param kind: branches, tags or pull-requests
        :param name: name of the branch or tag
        """
        for pattern in self.steps.get(kind, {}):
            if _matches(pattern, name):
                return {"type": kind, "pattern": pattern}
        if kind == "branches" and "default" in self.steps:
            return {"type": "default"}
        return None

    def find(self, selector: dict[str, Any]) -> Steps | None:
        """Return the steps of a selector, None when the file does not define it.

        :param selector: ``{"type": ..., "pattern": ...}`` as in the API
        """
        return self.steps.get(selector["type"], {}).get(selector.get("pattern", ""))


NOTHING = Definitions({})


@lru_cache(maxsize=256)
def parse(content: bytes) -> Definitions:
    """Return what a definition file defines.

    :param content: the file
    :raises DefinitionError: with the problem as one sentence
    """
    try:
        document = yaml.safe_load(content)
        pipelines = document["pipelines"]
        steps = {kind: dict(_patterns(kind, value)) for kind, value in pipelines.items()}
    except (yaml.YAMLError, TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"There is an error in your {FILE_NAME} at [pipelines]. To be precise: {type(error).__name__}: {error}"
        ) from error
    return Definitions(steps)


def _patterns(kind: str, value: Any) -> Iterator[tuple[str, Steps]]:
    if kind == "default":
        yield "", list(_steps(value))
    else:
        for pattern, items in value.items():
            yield str(pattern), list(_steps(items))


def _steps(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "step" in item:
            yield _step(item["step"])
        for group in ("parallel", "stage"):
            if group in item:
                inner = item[group]
                yield from _steps(inner["steps"] if isinstance(inner, dict) else inner)


def _step(step: dict[str, Any]) -> dict[str, Any]:
    image = step.get("image", "atlassian/default-image:5")
    return {
        "name": step.get("name"),
        "seconds": STEP_SECONDS,
        "manual": step.get("trigger") == "manual",
        "environment": step.get("deployment"),
        "image": image["name"] if isinstance(image, dict) else image,
        "caches": tuple(map(str, step.get("caches") or ())),
        "script": tuple(f"pipe: {line['pipe']}" if isinstance(line, dict) else str(line) for line in step["script"]),
    }


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    """Bitbucket's globs: ``*`` stays within a path segment, ``**`` does not, ``{a,b}`` is a choice."""
    text = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(re.sub(r"\\\{(.*?)\\\}", lambda found: f"(?:{found[1].replace(',', '|')})", text))


def _matches(pattern: str, name: str) -> bool:
    return _expression(pattern).fullmatch(name) is not None
