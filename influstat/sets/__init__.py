"""How few units flip a conclusion, found and proven."""
