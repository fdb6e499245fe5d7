"""statsmodels fits."""
