"""How few rows, or clusters, flip a conclusion: sets that are found, and proofs that none is smaller."""
