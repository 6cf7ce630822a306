import logging
from unittest import mock

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


@pytest.fixture
def asked_anew():
    """The answer is kept for a process: here it is asked for anew, and forgotten."""
    backend.why_not_cuda.cache_clear()
    yield
    backend.why_not_cuda.cache_clear()


def test_a_missing_package_is_named(monkeypatch, asked_anew):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    assert "numba-cuda is not installed" in backend.why_not_cuda()


def test_another_cuda_target_is_named(monkeypatch, asked_anew):
    """numba-cuda in another environment's folder: the .pth file that puts it in place is not read there."""
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("numba.cuda.implementation", "Built-in", raising=False)
    assert "numba takes its own CUDA target" in backend.why_not_cuda()


@pytest.fixture
def cuda(monkeypatch, asked_anew):
    """numba.cuda with a GPU, it says."""
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")
    from numba import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: True)
    return cuda


def test_a_missing_gpu_is_named(monkeypatch, cuda):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    assert "no NVIDIA driver or no GPU" in backend.why_not_cuda()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("ptxas fatal: sm_7\nmore"), r"compiled and run \(RuntimeError: ptxas fatal: sm_7\)"),
        (AssertionError(), r"\(AssertionError: no reason is given\)"),
    ],
)
def test_a_kernel_that_cannot_run_is_an_obstacle(monkeypatch, cuda, error, said, caplog):
    from dvae_ref.sampling.cuda import device

    monkeypatch.setattr(device, "check", mock.Mock(side_effect=error))
    with pytest.raises(backend.BackendError, match=said):
        backend.resolve("cuda")
    backend._fall_back.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert backend.resolve("auto") == "cpu"
    assert len(caplog.records) == 1
    assert device.check.call_count == 1  # once a process


def test_a_kernel_that_runs_is_no_obstacle(monkeypatch, cuda):
    from dvae_ref.sampling.cuda import device

    monkeypatch.setattr(device, "check", mock.Mock())
    assert backend.resolve("auto") == "cuda"
