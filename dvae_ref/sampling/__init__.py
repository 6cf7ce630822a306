"""Samplers of an RBM: the negative phase and log Z. Every compiled kernel of dvae_ref imports this package first."""

from dvae_ref.compiled import drop_stale_cache

drop_stale_cache()
