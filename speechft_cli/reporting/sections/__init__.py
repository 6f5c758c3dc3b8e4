"""The sections of an evaluation's report: its results, then all they depend on."""
