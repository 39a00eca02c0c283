"""Start, find, stop and explain pipelines for a task, without Airflow."""
