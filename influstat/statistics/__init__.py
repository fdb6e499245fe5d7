"""What statisticians ask of a fit: leverage, diagnostics, covariances, inference, effects."""
