"""Groups of rows in partitions: left out together, or held out as folds."""
