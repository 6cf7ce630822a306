import pytest

from dvae_ref.fast import threads


@pytest.fixture
def pool(monkeypatch):
    """A pool without threads, for this test alone."""
    monkeypatch.setattr(threads, "_pool", threads._Pool())
    return threads._pool
