"""Both distributions are complete and independent of each other."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_sdist_includes_every_package_that_its_tests_import() -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    ours = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    imported = {name for path in (ROOT / "tests").rglob("*.py") for name in _top_level_imports(path)}
    assert imported & ours <= set(included)


def test_importing_the_pytest_plugin_imports_no_server() -> None:
    """pytest imports the plugin in every run if the emulator is installed."""
    code = "import sys, bitbucket_cloud_emulator.pytest_plugin; print({'uvicorn', 'fastapi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _top_level_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
    return found
