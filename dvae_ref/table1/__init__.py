"""Many runs: a grid of cells, who trains them, their report beside the paper's Table 1, and their records."""
