"""Leave-one-out of rows in partitions: sums at theta-hat, then removals of each partition's rows."""
