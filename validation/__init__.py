"""Every claim of the paper that the project relies on, held against an exact answer: python -m validation."""
