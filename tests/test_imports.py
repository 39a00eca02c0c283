"""DAG files are parsed every 30 seconds: what they import must stay light."""

from __future__ import annotations

import subprocess
import sys

ROOMS = ("hooks", "operators", "sensors", "triggers")
HEAVY = ("pandas", "pyarrow", "numpy", "matplotlib", "fastapi", "requests")
IMPORT_AND_LIST = f"""
import pkgutil, sys
from importlib import import_module
for room in {ROOMS}:
    package = import_module("airflow_provider_bitbucket." + room)
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        import_module(module.name)
import airflow_provider_bitbucket.links
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_importing_what_a_dag_file_imports_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_AND_LIST], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
