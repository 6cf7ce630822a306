"""A notebook in a kernel of its own, warnings being errors: load a model, sample, reconstruct, plot, ask for help."""

import os
import sys
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install '.[test]'")
nbformat = pytest.importorskip("nbformat", reason="comes with nbclient")
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install '.[test]'")

ROOT = Path(__file__).parent.parent
STRICT = "import warnings; warnings.simplefilter('error')"
MODEL = "import dvae_ref; model = dvae_ref.teaching_model(); train, test = dvae_ref.teaching_images(); model"
RUN = """
run = dvae_ref.load_run({folder!r}, "last")
digits = run.sample(2, sweeps=20)
digits.shape, run.reconstruct(digits > 0.5).shape
"""
SAMPLE = "digits = model.sample(6, sweeps=200); means = model.reconstruct(test[:6]); (digits.shape, means.shape)"
PLOT = """
%matplotlib inline
import matplotlib.pyplot as plt
figure, axes = plt.subplots(3, 6, figsize=(6, 3))
for row, images in zip(axes, (test[:6], means, digits)):
    for a, image in zip(row, images):
        a.imshow(image.reshape(14, 14), cmap="gray_r")
        a.axis("off")
plt.show()
"""
HELP = "help(model.log_likelihood)"


def outputs(cells, folder):
    """What each cell of a notebook left, run in a fresh kernel of this Python: a list of nbformat's outputs."""
    given = [*cells, "warnings.resetwarnings()"]  # the kernel's own, as it ends, are its affair
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in given])
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    before = os.environ.get("PYTHONPATH", "")
    client.execute(env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{before}"})
    return [cell.outputs for cell in notebook.cells[: len(cells)]]


def texts(cell):
    """All that a cell printed or showed as text."""
    shown = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell]
    return "".join(shown)


def test_a_notebook_loads_samples_reconstructs_and_plots(straight, tmp_path):
    cells = [STRICT, MODEL, SAMPLE, PLOT, RUN.format(folder=str(straight[0])), HELP]
    _, model, shapes, plot, run, told = outputs(cells, tmp_path)
    assert texts(model) == "<Trained dvaes_power 1-layer-lin, K = 1, 10,000 iterations, seed 0>"
    assert texts(shapes) == "((6, 196), (6, 196))"
    assert [out for out in plot if "image/png" in out.get("data", {})]
    assert texts(run) == "((2, 784), (2, 784))"
    for word in ("nats", "(B, V)", "ValueError", "samples: int = 4000"):
        assert word in texts(told)


def test_control_a_warning_ends_the_notebook(tmp_path):
    with pytest.raises(nbclient.exceptions.CellExecutionError, match=r"(?s)UserWarning.*aloud"):
        outputs([STRICT, "warnings.warn('aloud')"], tmp_path)
