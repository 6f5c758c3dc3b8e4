"""Files: written whole or not at all, read without executing them, named by their hash."""
