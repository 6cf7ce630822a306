"""Launches, as far as they can be seen without a GPU, and the cache of compiled kernels."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")

from dvae_ref.fast import jit, scalars
from dvae_ref.sampling.cuda import device
from validation.cuda import emulator, kernels

# -- launches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel():
    """What cuda.jit makes of a kernel: indexed by a launch's configuration, then called."""
    return mock.MagicMock(**{"typeof_pyval.side_effect": type})


@pytest.mark.parametrize(("shared", "asked"), [(0, False), (48 * 1024, False), (48 * 1024 + 4, True)])
def test_more_shared_memory_than_a_block_has_by_itself_is_asked_for(kernel, shared, asked):
    with mock.patch.object(device, "driver", mock.Mock()) as driver:
        device.launch(kernel, 5, (32, 8), 1, 2.0, shared=shared)
    assert kernel.mock_calls[-2:] == [mock.call.__getitem__((5, (32, 8), 0, shared)), mock.call.__getitem__()(1, 2.0)]
    assert driver.cuKernelSetAttribute.called is asked
    if asked:
        kernel.compile.assert_called_once_with((int, float))
        loaded = kernel.compile().library.get_cufunc()
        attribute = device.binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        driver.cuKernelSetAttribute.assert_called_once_with(attribute, shared, loaded.handle, loaded.device.id)


def test_the_attribute_is_set_as_numba_cuda_sets_another():
    """`set_shared_memory_carveout` sets one of the same kind: the same call, with arguments of the same meaning."""
    from numba.cuda.cudadrv.driver import CudaPythonFunction

    own = SimpleNamespace(handle="handle", device=SimpleNamespace(id=3))
    theirs, ours = mock.Mock(), mock.Mock()  # the driver's own, looked at, is looked for
    with mock.patch("numba.cuda.cudadrv.driver.driver", theirs), mock.patch.object(device, "driver", ours):
        CudaPythonFunction.set_shared_memory_carveout(own, 50)
        device.allow(SimpleNamespace(library=SimpleNamespace(get_cufunc=lambda: own)), 100_000)
    (_, *theirs), (_, *ours) = (call.cuKernelSetAttribute.call_args.args for call in (theirs, ours))
    assert (theirs, ours) == ([50, "handle", 3], [100_000, "handle", 3])


def test_the_kernel_of_one_thread(monkeypatch):
    """It runs; and a GPU that does nothing is found out."""
    one = kernels.Kernel(device._one, (kernels.KERNELS["resampling: shares"].arguments[0],), False, 1)
    monkeypatch.setitem(kernels.KERNELS, "one", one)
    with emulator.emulated(), monkeypatch.context() as patch:  # undone before the emulator goes, not after
        device.check()
        patch.setattr(device, "launch", lambda *arguments, **options: None)
        with pytest.raises(RuntimeError, match="has not done so"):
            device.check()


# -- the cache, in processes of their own ------------------------------------------------------------------------------

HELPER = """
from dvae_ref.sampling.cuda import device

@device.function
def helper(x):
    return x + {added}
"""
KERNEL = """
from numba import cuda
from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.cuda.helper import helper

def source(x):
    x[0] = helper(x[0])

kernel = device.kernel()(source) if {ours} else cuda.jit(cache=True)(source)
"""
# A GPU that is not there has a capability; what the linker makes of the PTX is not loaded. Printed: hits of the cache,
# and what the kernel's PTX adds.
CALL = """
import re
from types import SimpleNamespace
from unittest import mock
from numba.cuda import dispatcher, codegen
from numba import types

gpu = SimpleNamespace(compute_capability={capability})
with mock.patch.object(dispatcher, "get_current_device", return_value=gpu), \\
        mock.patch.object(codegen.devices, "get_context", return_value=SimpleNamespace(device=gpu)), \\
        mock.patch.object(dispatcher._Kernel, "bind"):
    from dvae_ref.sampling.cuda.kernel import kernel
    compiled = kernel.compile((types.int64[::1],))
    print(sum(kernel._cache_hits.values()), re.search(r"add.s64.*, (\\d+);", compiled.inspect_asm(None))[1])
"""


@pytest.fixture
def package(tmp_path):
    """A package dvae_ref with our jit, scalars and device, and one kernel."""
    folder = tmp_path / "site" / "dvae_ref" / "sampling" / "cuda"
    for path in (folder, folder.parents[1] / "fast"):
        path.mkdir(parents=True)
    for path in (folder.parents[1], folder.parent, folder, folder.parents[1] / "fast"):
        (path / "__init__.py").touch()
    for module in (jit, scalars):
        (folder.parents[1] / "fast" / Path(module.__file__).name).write_text(Path(module.__file__).read_text())
    (folder / "device.py").write_text(Path(device.__file__).read_text())
    (folder / "helper.py").write_text(HELPER.format(added=1))
    return folder


def run(package, ours=True, capability=(9, 0), **environment):
    """What a process prints that has only this package: (hits of the cache, what the kernel adds)."""
    source = KERNEL.format(ours=ours)
    if not (package / "kernel.py").exists():  # a file written anew is another one to numba
        (package / "kernel.py").write_text(source)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "XDG_"))}
    env |= {"PYTHONPATH": str(package.parents[2]), "HOME": str(package.parents[3]), **environment}
    command = [sys.executable, "-B", "-W", "error", "-c", CALL.format(capability=capability)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=package.parents[3], timeout=300)
    assert done.returncode == 0, done.stderr
    return tuple(int(word) for word in done.stdout.split())


def test_a_kernel_is_compiled_once(package):
    assert [run(package), run(package)] == [(0, 1), (1, 1)]
    assert run(package, capability=(8, 0)) == (0, 1)  # for another GPU, anew
    flags = {"NUMBA_CUDA_DEBUGINFO": "1", "NUMBA_OPT": "0"}
    assert [run(package, **flags)[0], run(package, **flags)[0], run(package)[0]] == [0, 1, 0]


def test_a_helper_from_another_file_that_changes_is_compiled_anew(package):
    run(package)
    (package / "helper.py").write_text(HELPER.format(added=2))
    assert [run(package), run(package)] == [(0, 2), (1, 2)]


def test_control_numba_cuda_s_own_cache_goes_on_with_the_old_helper(package):
    run(package, ours=False)
    (package / "helper.py").write_text(HELPER.format(added=2))
    assert run(package, ours=False) == (1, 1)


def test_a_damaged_cache_is_no_kernel(package):
    run(package)
    for path in (package / "__pycache__").glob("kernel.source-*.nbc"):
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AssertionError, match="is damaged"):  # a warning, which is an error here
        run(package)


def test_every_kernel_of_ours_is_cached():
    assert {type(known.source._cache).__name__ for known in kernels.KERNELS.values()} == {"KernelCache"}
    assert np.all([jit.version() in known.source._cache._cache_file._version for known in kernels.KERNELS.values()])
