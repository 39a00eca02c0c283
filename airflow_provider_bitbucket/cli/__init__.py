"""``airflow bitbucket ...``: log in, show connected users, check a connection."""
