"""SQL text to syntax tree and back, with the place of everything in the text."""
