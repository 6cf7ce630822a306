"""Samples of an RBM and estimates of its log Z.

pcd, population_annealing   the negative phase: init, step(key, state, rbm) -> (state, info), samples, moments
ais                         log Z with its standard error; population_annealing.anneal is another way to it
bracket, trajectory         log Z from both sides: along temperature, along the snapshots of a training run
gibbs                       block Gibbs sweeps of many chains, under all of these (engines: for any CPU, for AVX-512)
philox                      keys and random numbers
fields                      why all of it is the same to the bit on any number of cores, and on a GPU
"""
