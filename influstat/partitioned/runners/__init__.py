"""Who carries out work on partitions: one thread, several, or the workers of a Dask client."""
