"""Hessians as operators."""
