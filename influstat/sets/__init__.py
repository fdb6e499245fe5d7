"""How few rows, or clusters of rows, flip a conclusion: sets that are found, and proofs that none is smaller."""
