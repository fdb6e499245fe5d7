"""Empirical risks: losses and penalties with data."""
