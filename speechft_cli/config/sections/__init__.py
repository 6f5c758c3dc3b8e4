"""The sections of the config model, one file per stage."""
