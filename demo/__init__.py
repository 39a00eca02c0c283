"""The demo: the example DAGs in a real Airflow, against the embedded Bitbucket."""
