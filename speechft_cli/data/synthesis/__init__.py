"""Making speech: sentences, voices, the synthesiser, its phonemes."""
