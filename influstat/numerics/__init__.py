"""Derivatives and differences of functions that are only called."""
