"""Check names, comments, strings and documents against the project's vocabulary (CONTRIBUTING.md has the reasons)."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

#: Pattern -> what to write instead. Word boundaries are added.
SENTENCES: dict[str, str] = {
    r"can not": "cannot",
    r"tell(s|ing)?|told": "report, return, state, log",
    r"somebody|nobody|whoever|anybody": "name the person or process, or use the passive voice",
    r"moments?": "timestamp, time, date",
    r"(look|looks|looked|looking)( again| once)? at": "poll, read",
    r"(next|last|first|a|one|each|every|two|three|further|failed) looks?": "poll",
    r"g[ia]ves? up|gave up|given up|giving up": "time out, stop, deadline",
    r"(go|goes|going|went|gone) on": "continue, resume",
    r"(is|was|are|be|been|being) over": "completed, finished, has ended",
    r"in (whose|his|her|their|somebody's) name": "acting user",
    r"bad moments?": "transient error",
    r"broken answers?": "malformed response",
    r"less and less often|again and again": "with back-off, repeatedly",
    r"comes? about|came about": "happen, is created",
    r"as long as one likes|for ever": "indefinitely",
    r"never mind|by and by": "",
}
NAMES = re.compile(r"^(look|looks|looked|looker|lookers|tell|tells|told|moment|moments|somebody|nobody|sight|judge|gave)$")
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


if __name__ == "__main__":
    found = [problem for name in sys.argv[1:] for problem in problems(Path(name))]
    print("\n".join(found))
    sys.exit(bool(found))
