"""Wait in Airflow's triggerer; operators and sensors create the triggers."""
