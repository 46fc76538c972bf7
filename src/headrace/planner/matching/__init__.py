"""MATCH_RECOGNIZE: rows of a stream that follow one another as a pattern says."""
