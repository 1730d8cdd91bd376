"""Dead letters: chunks that could not be stored."""
