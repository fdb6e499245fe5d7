"""Rows beyond memory and beyond one machine: sums over partitions, and answers as a map over partitions."""
