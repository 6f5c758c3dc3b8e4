"""How far an encoder has moved from its base: in its weights and, on speech without labels, in its features."""
