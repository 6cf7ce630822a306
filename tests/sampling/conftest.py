import numba
import pytest

from dvae_ref.sampling import engines
from dvae_ref.sampling.engines import avx512, portable


@pytest.fixture(autouse=True)
def one_thread():
    """What is tested is too small to share, and threads that wait for each other are slow on a busy machine."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


_NEEDS_AVX512 = pytest.mark.skipif(not avx512.available(), reason="this CPU has no AVX-512, which engines.avx512 needs")


@pytest.fixture(params=[pytest.param(avx512, marks=_NEEDS_AVX512, id="avx512"), pytest.param(portable, id="portable")])
def engine(request, monkeypatch):
    """Each engine of the CPU, whatever this one would choose."""
    monkeypatch.setattr(engines, "best", lambda: request.param)
    return request.param
