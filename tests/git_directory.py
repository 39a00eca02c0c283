"""A git repository on disk for the emulator to serve, and the commits that a test adds to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_IDENTITY = ("-c", "user.name=Dana Demo", "-c", "user.email=dana@example.com", "-c", "commit.gpgsign=false")


class GitDirectory:
    """A git repository with a working tree.

    :param path: an empty directory
    """

    def __init__(self, path: Path) -> None:
        programs = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
        if not (Path(programs) / "git-http-backend").exists():
            pytest.skip("git http-backend is not installed; some systems have it in a package of its own")
        self.path = path
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> str:
        """Run git here and return its output."""
        done = subprocess.run(
            ["git", *_IDENTITY, *arguments], cwd=self.path, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files, with ``__`` for ``/`` and ``_py`` for ``.py`` in their names, and return the hash of the commit."""
        for name, text in files.items():
            file = self.path / f"{name.removesuffix('_py').replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change files")
        return self.git("rev-parse", "HEAD")
