"""Write the frames of a dataset to Parquet files and database tables."""
