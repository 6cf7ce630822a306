"""The samplers' kernels for NVIDIA GPUs, by numba-cuda.

`device`: what all of them share. `spins`: a unit of eight chains. Fields with W in shared memory (`layout`,
`resident`), or with W in global memory (`tiles`). On these rest `gibbs` and `ais`; `resampling` stands alone.

They make the spins of the CPU, bit for bit, from the same scalar functions (`scalars`, `philox`). Import them only
after `backend.resolve` has said "cuda": numba-cuda is optional. How it is proved without a GPU: docs/cuda.md.
"""
