"""`speechft init`: the questions, what answers them besides a person, and what comes of it."""
