"""DVAE#: discrete variational autoencoders with relaxed Boltzmann priors (Vahdat et al., NeurIPS 2018)."""

__version__ = "0.1.0"
