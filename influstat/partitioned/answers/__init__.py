"""Answers about rows in partitions: reduced at once, written to Parquet, or as a lazy dask.dataframe."""
