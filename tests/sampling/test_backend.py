import logging

import pytest
from enumeration import skewed_rbm

from dvae_ref.sampling import ais, backend, gibbs, pcd, philox, population_annealing

KEY = philox.key(1)


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(backend, "why_not_cuda", lambda: "there is none here")
    backend._fall_back.cache_clear()


@pytest.mark.parametrize("run", [
    lambda rbm, name: gibbs.sweep(KEY, pcd.init(KEY, rbm, 3), rbm, 1, backend=name),
    lambda rbm, name: pcd.step(KEY, pcd.init(KEY, rbm, 3), rbm, 1, backend=name),
    lambda rbm, name: population_annealing.step(KEY, population_annealing.init(KEY, rbm, 30), rbm, 1, backend=name),
    lambda rbm, name: ais.log_z(KEY, rbm, 20, 30, backend=name),
])  # fmt: skip
def test_cuda_by_name_is_an_error_where_there_is_none(run, without_cuda):
    rbm = skewed_rbm(4, 3)
    with pytest.raises(backend.BackendError, match='backend="cuda" cannot be used: there is none here'):
        run(rbm, "cuda")
    with pytest.raises(ValueError, match="backend must be one of cpu, cuda, auto; got 'gpu'"):
        run(rbm, "gpu")
    run(rbm, "auto")
    run(rbm, "cpu")


def test_auto_falls_back_and_says_so_once(without_cuda, caplog):
    with caplog.at_level(logging.WARNING):
        assert [backend.resolve("auto") for _ in range(3)] == ["cpu"] * 3
        assert backend.resolve("cpu") == "cpu"
    assert [record.message for record in caplog.records] == [
        'backend="auto": sampling on the CPU, because there is none here'
    ]


def test_auto_takes_cuda_if_it_is_there(monkeypatch, caplog):
    monkeypatch.setattr(backend, "why_not_cuda", lambda: None)
    assert (backend.resolve("auto"), backend.resolve("cuda"), backend.resolve("cpu")) == ("cuda", "cuda", "cpu")
    assert not caplog.records


def test_a_missing_package_is_named(monkeypatch):
    backend.why_not_cuda.cache_clear()
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    assert "numba-cuda is not installed" in backend.why_not_cuda()
    backend.why_not_cuda.cache_clear()


def test_a_missing_gpu_is_named(monkeypatch):
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install 'dvae_ref[cuda]'")
    from numba import cuda

    backend.why_not_cuda.cache_clear()
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    assert "no NVIDIA driver or no GPU" in backend.why_not_cuda()
    backend.why_not_cuda.cache_clear()
