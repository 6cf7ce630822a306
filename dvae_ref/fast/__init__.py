"""Compiled twins of the theory, for float32: a file and a name for each (`dvae_ref.twins`)."""
