"""DAG files are parsed every 30 seconds, so the modules that they import load no heavy library."""

from __future__ import annotations

import subprocess
import sys

PACKAGES = ("hooks", "operators", "sensors", "triggers")
HEAVY = ("pandas", "pyarrow", "numpy", "matplotlib", "fastapi", "requests")
IMPORT_AND_LIST = f"""
import pkgutil, sys
from importlib import import_module
for name in {PACKAGES}:
    package = import_module("airflow_provider_bitbucket." + name)
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        import_module(module.name)
import airflow_provider_bitbucket.links
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_modules_for_dag_files_import_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_AND_LIST], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
