"""Differences between two trees: diffstat, diff and conflicts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Tree = Mapping[str, bytes]


def diffstat(before: Tree, after: Tree) -> list[dict[str, Any]]:
    """Return a row for every changed file, sorted by path: path, status, lines_added, lines_removed, old_path.

    A file that went away while another with the same content came is a rename.
    """
    gone = {path: content for path, content in before.items() if path not in after}
    rows = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is None and new is not None:
            origin = next((one for one, content in gone.items() if content == new), None)
            if origin is not None:
                del gone[origin]
                rows.append(_row(path, "renamed", 0, 0, origin))
            else:
                rows.append(_row(path, "added", *_counts(b"", new)))
        elif old is not None and new is not None:
            rows.append(_row(path, "modified", *_counts(old, new)))
    rows += [_row(path, "removed", *_counts(content, b"")) for path, content in gone.items()]
    return sorted(rows, key=lambda row: str(row["path"]))


def diff(before: Tree, after: Tree) -> str:
    """Return the change as text, in git's form."""
    return "".join(_file_diff(row, before, after) for row in diffstat(before, after))


def imagined_diff(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a diff with the line counts of a diffstat, for changes without trees."""
    text = ""
    for row in rows:
        new, old = row["path"], row.get("old_path") or row["path"]
        removed = [f"-line {number} as it was\n" for number in range(1, row["lines_removed"] + 1)]
        added = [f"+line {number} as it is\n" for number in range(1, row["lines_added"] + 1)]
        hunk = f"@@ -1,{len(removed)} +1,{len(added)} @@\n" if removed or added else ""
        text += f"{_heading(row['status'], old, new)}{hunk}{''.join(removed)}{''.join(added)}"
    return text


def imagined_file(row: Mapping[str, Any]) -> bytes:
    """Return a file with the added lines of an :func:`imagined_diff`."""
    return "".join(f"line {number} as it is\n" for number in range(1, row["lines_added"] + 1)).encode()


def conflicts(base: Tree, ours: Tree, theirs: Tree) -> list[str]:
    """Return the paths that both sides changed differently. Files are compared as wholes."""
    return [path for path in sorted({*base, *ours, *theirs}) if len({base.get(path), ours.get(path), theirs.get(path)}) == 3]


def replay(base: Tree, changed: Tree, onto: Tree) -> dict[str, bytes]:
    """Return a tree with the changes from ``base`` to ``changed`` made to it."""
    result = dict(onto)
    for path in {*base, *changed}:
        if base.get(path) != changed.get(path):
            if path in changed:
                result[path] = changed[path]
            else:
                result.pop(path, None)
    return result


def _row(path: str, status: str, added: int, removed: int, old_path: str | None = None) -> dict[str, Any]:
    return {"path": path, "status": status, "lines_added": added, "lines_removed": removed, "old_path": old_path}


def _lines(content: bytes) -> list[str]:
    try:
        return content.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return []  # binary: changed, without lines


def _counts(before: bytes, after: bytes) -> tuple[int, int]:
    added = removed = 0
    for line in _unified(before, after):
        added += line.startswith("+")
        removed += line.startswith("-")
    return added, removed


def _unified(before: bytes, after: bytes) -> Iterator[str]:
    """Yield the hunks between two files, without the two lines that name them."""
    lines = difflib.unified_diff(_lines(before), _lines(after))
    for number, line in enumerate(lines):
        if number > 1:
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _file_diff(row: Mapping[str, Any], before: Tree, after: Tree) -> str:
    old = row["old_path"] or row["path"]
    return _heading(row["status"], old, row["path"]) + "".join(_unified(before.get(old, b""), after.get(row["path"], b"")))


def _heading(status: str, old: str, new: str) -> str:
    head = f"diff --git a/{old} b/{new}\n"
    if status == "renamed":
        return f"{head}similarity index 100%\nrename from {old}\nrename to {new}\n"
    if status == "added":
        return f"{head}new file mode 100644\n--- /dev/null\n+++ b/{new}\n"
    if status == "removed":
        return f"{head}deleted file mode 100644\n--- a/{old}\n+++ /dev/null\n"
    return f"{head}--- a/{old}\n+++ b/{new}\n"
