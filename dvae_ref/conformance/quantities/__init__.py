"""The quantities of the kit by theme: how their inputs are drawn, and what outputs follow. `catalogue` has them all.

Of each quantity a module has `draw_...`(rng), its inputs by name, and `compute_...`(inputs), its outputs by name; where
sums cancel, `..._terms` says how large what is added is, which widens the tolerance. QUANTITIES puts them together with
the words that `conformance show` prints. Keyword arguments of a compute with defaults are hooks through which
`mistakes` computes it wrongly.

All of them keep to this:

- Logarithms are in nats. Rows come first, or behind the axis of sweeps or numbers of samples where there is one; units
  come last, left units before right ones.
- No symmetry helps: both sides have as many units and W is not symmetric; biases, couplings and logits of q are not
  centred at 0. A sign, a side or an end that is mistaken changes a number, and raises no error of shapes.
- Where rows are differentiated together, the input `cotangent` (rows,) weights them, so that each of them counts.
- Among ordinary rows there are some of known trouble (`trouble`): formulas that are equal on paper part there.
"""
