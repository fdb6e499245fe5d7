"""Proofs for squared error with few nuisance coefficients: `cover` has the theorem, `slopes` the rows."""
