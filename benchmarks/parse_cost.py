"""What importing an operator costs a DAG file, beside a well-known operator of the same kind.

A DAG file is parsed every 30 seconds by default. Each import runs in a new process that has imported ``airflow.sdk`` already;
counted is the CPU time (user and system) of the import alone. The ratio of medians is the figure, since machines are noisy.

``python benchmarks/parse_cost.py [rounds]``
"""

from __future__ import annotations

import statistics
import subprocess
import sys

OURS = "airflow_provider_bitbucket.operators.pipelines"
THEIRS = "airflow.providers.dbt.cloud.operators.dbt"
GOAL = 12.0

CODE = """
import os, sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseOperatorLink
before = os.times()
__import__(sys.argv[1])
after = os.times()
print(after.user + after.system - before.user - before.system)
"""


def cpu_seconds(module: str) -> float:
    """Return the CPU seconds of an import in a new process."""
    done = subprocess.run([sys.executable, "-c", CODE, module], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main(rounds: int = 10) -> None:
    """Print the cost of both imports and their ratio."""
    for module in (OURS, THEIRS):
        cpu_seconds(module)  # writes the byte code
    ours, theirs = [], []
    for _ in range(rounds):  # in turns, so that both meet the same machine
        ours.append(cpu_seconds(OURS))
        theirs.append(cpu_seconds(THEIRS))
    for name, figures in ((OURS, ours), (THEIRS, theirs)):
        print(f"{name}: {statistics.median(figures) * 1000:.0f} ms CPU (median of {rounds})")
    print(f"ratio: 1/{statistics.median(theirs) / statistics.median(ours):.1f} (goal 1/{GOAL:.0f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
