"""Sets that may flip a conclusion, each verified by a refit."""
