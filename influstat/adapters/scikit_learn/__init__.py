"""scikit-learn fits."""
