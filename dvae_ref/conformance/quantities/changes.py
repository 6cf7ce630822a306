"""Changes of a method: its posterior or its prior as another class with the same fields.

A whole model is computed from a `methods.Method`. What is to be wrong in one part of it, or taken apart to see what
cancels, is a class derived from that part, and a function Method -> Method that puts it in.
"""


def with_prior(kind):
    """Its prior as another class."""

    def change(method):
        return method._replace(prior=kind(**vars(method.prior)))

    return change


def with_posterior(derived):
    """Its posterior as the class that derived(class) makes of its own."""

    def change(method):
        kind = derived(type(method.posterior))
        return method._replace(posterior=kind(**vars(method.posterior)))

    return change
