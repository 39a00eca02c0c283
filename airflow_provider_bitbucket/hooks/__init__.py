"""From Airflow connections to Bitbucket."""
