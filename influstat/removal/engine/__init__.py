"""Removals in time that grows with the rows, not with their square: sums over all rows, expanded once."""
