"""Report how many mutated responses were answered."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the number of mutated responses."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    counts = [value for report in reports for name, value in report.user_properties if name == "mutated_responses"]
    if counts:
        terminalreporter.write_line(f"fuzz: {sum(counts):,} mutated responses in {len(counts)} subjects")
