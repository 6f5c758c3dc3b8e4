"""Stage three of Speech-FT: frozen features, probes on top of them, and what they score."""
