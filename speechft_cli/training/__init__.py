"""Stage one of Speech-FT: who trains when, at which rate, and the loop that does it."""
