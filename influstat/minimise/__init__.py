"""Minimisers: Newton's method, the hinge's dual, and whether there is a minimum."""
