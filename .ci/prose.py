"""Check names, comments, strings and documents against the project's vocabulary (CONTRIBUTING.md has the reasons).

Without arguments, as in ``make lint``, the files below ``CHECKED`` are checked.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

#: Paths that use the vocabulary. Extend this list until it is the whole repository.
CHECKED: tuple[str, ...] = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "airflow_provider_bitbucket/changes",
    "airflow_provider_bitbucket/cli",
    "airflow_provider_bitbucket/client",
    "airflow_provider_bitbucket/exceptions.py",
    "airflow_provider_bitbucket/get_provider_info.py",
    "airflow_provider_bitbucket/hooks",
    "airflow_provider_bitbucket/links.py",
    "airflow_provider_bitbucket/metrics",
    "airflow_provider_bitbucket/notifications",
    "airflow_provider_bitbucket/operators/base.py",
    "airflow_provider_bitbucket/operators/build_statuses.py",
    "airflow_provider_bitbucket/operators/code_insights.py",
    "airflow_provider_bitbucket/operators/extract.py",
    "airflow_provider_bitbucket/operators/frames.py",
    "airflow_provider_bitbucket/operators/metrics.py",
    "airflow_provider_bitbucket/operators/pull_request_comments.py",
    "airflow_provider_bitbucket/operators/pull_requests.py",
    "airflow_provider_bitbucket/operators/report.py",
    "airflow_provider_bitbucket/operators/repositories.py",
    "airflow_provider_bitbucket/operators/sql.py",
    "airflow_provider_bitbucket/operators/watermarks.py",
    "airflow_provider_bitbucket/parameters",
    "airflow_provider_bitbucket/pipeline_runs",
    "airflow_provider_bitbucket/report",
    "airflow_provider_bitbucket/sensors",
    "airflow_provider_bitbucket/sinks",
    "airflow_provider_bitbucket/testing.py",
    "airflow_provider_bitbucket/triggers",
    "benchmarks",
    "demo",
    "docs",
    "emulator/bitbucket_cloud_emulator",
    "example_dags",
    "tests/*.py",
    "tests/cli",
    "tests/client",
    "tests/datasets",
    "tests/demo",
    "tests/emulator",
    "tests/end_to_end",
    "tests/foreign",
    "tests/fuzz",
    "tests/hooks",
    "tests/metrics",
    "tests/notifications",
    "tests/older",
    "tests/operators/test_extract.py",
    "tests/operators/test_incremental.py",
    "tests/operators/test_metrics.py",
    "tests/operators/test_missing.py",
    "tests/operators/test_outputs.py",
    "tests/operators/test_report.py",
    "tests/operators/test_sql.py",
    "tests/operators/test_watermarks.py",
    "tests/parameters",
    "tests/report",
    "tests/sensors",
    "tests/triggers",
)
SUFFIXES = frozenset({"", ".j2", ".md", ".py"})  # without a suffix: Makefile

#: Pattern -> what to write instead. Word boundaries are added.
SENTENCES: dict[str, str] = {
    r"can not": "cannot",
    r"tell(s|ing)?|told": "report, return, state, log",
    r"somebody|nobody|whoever|anybody|everybody": "name the person or process, or use the passive voice",
    r"moments?": "timestamp, time, date",
    r"(look|looks|looked|looking)( again| once)? at": "poll, read",
    r"(next|last|first|a|one|each|every|two|three|further|failed) looks?": "poll",
    r"g[ia]ves? up|gave up|given up|giving up": "time out, stop, deadline",
    r"(go|goes|going|went|gone) on": "continue, resume",
    r"(is|was|are|be|been|being) over": "completed, finished, has ended",
    r"in (whose|his|her|their|somebody's) name": "acting user",
    r"bad moments?": "transient error",
    r"broken answers?": "malformed response",
    r"nothing known|none that is one": "malformed, missing, unknown",
    r"places? in the budget": "quota, request budget, share",
    r"less and less often|again and again": "with back-off, repeatedly",
    r"comes? about|came about": "happen, is created",
    r"as long as one likes|for ever": "indefinitely",
    r"never mind|by and by": "",
}
NAMES = re.compile(
    r"^(look|looks|looked|looker|lookers|tell|tells|told|moment|moments|somebody|nobody|anybody|everybody|whoever|sight|judge|gave)$"
)
_SENTENCES = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): instead for pattern, instead in SENTENCES.items()}
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        plain = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), source)
        yield from enumerate(plain.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            for offset, line in enumerate(token.string.split("\n")):
                yield token.start[0] + offset, line


def names_of(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def words_in(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]


def problems(path: Path) -> Iterator[str]:
    for line, text in texts_of(path):
        for pattern, instead in _SENTENCES.items():
            for found in pattern.finditer(text):
                yield f"{path}:{line}: {found[0]!r}: {instead}"
    if path.suffix == ".py":
        for line, name in names_of(path):
            if any(NAMES.match(word) for word in words_in(name)):
                yield f"{path}:{line}: name {name!r}"


def checked_files() -> Iterator[Path]:
    """Yield the files that are checked by default, relative to the repository, which is the working directory."""
    for name in CHECKED:
        for path in sorted(Path().glob(name)):
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.suffix in SUFFIXES and file.is_file():
                    yield file


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]] or list(checked_files())
    found = [problem for path in files for problem in problems(path)]
    print("\n".join(found))
    sys.exit(bool(found))
