"""Significance as a conclusion: `model_based` and `robust` have the theorems, `answer` the bracket."""
