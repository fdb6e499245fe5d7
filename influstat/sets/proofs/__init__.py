"""Proofs that no set of so many units flips a conclusion."""
