"""Every claim of the paper that the project relies on, held against an exact answer: python -m validation.

    __main__ -> claims/, claim, report    a Claim has a check(quick, seed) -> Findings, each an error and its bound, and
                                          what its picture draws; the report is one HTML page
    sabotage, breaks/                     a formula of ours broken in turn: does its claim notice? (docs/breaks.md)
    matrix                                the kit's mistakes in the theory, each against every claim that rests on it
    machines, coverage, error_bars        hard machines with known answers, and how often brackets and error bars hold
    counts                                on them (docs/bracket_coverage.md, docs/error_bars.md)
    cuda/                                 the kernels without a GPU: executed on the CPU, timed by their instructions

What claims are held against is written anew; of dvae_ref it has names and the containers of parameters alone:

    boltzmann, oracles    sums over all states, plain mean field, exact samples; for tests, too
    laws                  the smoothings in mpmath
    expectation           the bound's expectation by quadrature in every zeta, its gradient by autograd
    plain                 a float64 model with hidden layers and batch norm at fixed noise, its gradient by autograd

A statistical finding says what relative error it would have caught: one that could see nothing proves nothing.
"""
