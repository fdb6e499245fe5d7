"""Linear algebra that several rooms share, each idea once."""
