"""Influence functions: the derivative of anything in a row's weight."""
