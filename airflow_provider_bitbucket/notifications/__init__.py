"""Notifiers: callbacks of DAGs and tasks, and of deadline alerts, that report to Bitbucket."""
