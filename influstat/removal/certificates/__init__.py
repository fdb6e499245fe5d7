"""Proven bounds on what removals report."""
