"""speechft: stable fine-tuning, merging and probing of speech encoders."""

__version__ = "0.1.0"
