"""The samplers' kernels for NVIDIA GPUs, by numba-cuda: `device`, `tiles`, then `gibbs`, `ais` and `resampling`.

They make the spins of the CPU, bit for bit, from the same scalar functions (`scalars`, `philox.philox`). Import them
only after `backend.resolve` has said "cuda": numba-cuda is optional. How it is proved without a GPU: docs/cuda.md.
"""
