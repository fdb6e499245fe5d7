"""What influence is used for: finding wrong labels."""
