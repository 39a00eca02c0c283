"""``airflow bitbucket ...``: log in, see who is connected, check a connection."""
