"""Worker processes, here or on a Dask cluster."""
