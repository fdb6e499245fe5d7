"""Ways to find theta without rows, one file each."""
