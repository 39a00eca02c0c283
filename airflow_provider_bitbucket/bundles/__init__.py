"""DAG bundles: Airflow reads DAGs from a repository on Bitbucket (extra ``dag-bundle``)."""
