"""Compiled twins of the theory, for float32: a file and a name for each (`dvae_ref.twins`)."""

from dvae_ref.compiled import drop_stale_cache

drop_stale_cache()
