"""What runs in the tests' own process are trained on."""

import pytest

from dvae_ref.runs import datasets


@pytest.fixture(scope="session")
def dataset():
    """The bundled digits, 20 of them to validate on."""
    whole = datasets.load("mnist5k")
    return whole._replace(validation=whole.validation[:20])
