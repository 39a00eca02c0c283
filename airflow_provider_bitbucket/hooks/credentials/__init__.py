"""From an Airflow Connection to credentials; the only room that reads a Connection."""
