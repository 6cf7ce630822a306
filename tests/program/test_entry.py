"""How programs begin and end: closed, full and narrow streams, Ctrl-C at any time, one line for what is wrong."""

import ast
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dvae_ref.files import writing
from dvae_ref.program import console, entry, interrupt

PROGRAMS = ("dvae_ref", "validation", "figures")
SHORT = {  # a command of each that prints, and takes little
    "dvae_ref": ["conformance", "show", "log_q_power"],
    "validation": ["--list"],
    "figures": ["--help"],
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="descriptors and signals of POSIX")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, writes /dev/full")
OUR_OWN = ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "NUMBA_NUM_THREADS")


def environment(**given):
    return {name: value for name, value in os.environ.items() if name not in OUR_OWN} | given


def shell(line, **given):
    """(exit code, standard output, standard error) of a line for the shell, in which $PYTHON is ours."""
    env = environment(PYTHON=sys.executable, **given)
    done = subprocess.run(["bash", "-c", line], capture_output=True, env=env, check=False, timeout=300)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def command(program, options=()):
    return f"$PYTHON {' '.join(options)} -m {program} {' '.join(SHORT[program])}"


def is_one_line(text):
    return text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text


# -- streams -----------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("program", PROGRAMS)
def test_closed_streams(program):
    """Nothing is said where nobody hears it, and nothing goes wrong."""
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        code, _, error = shell(f"{command(program)} {closed}")
        assert (code, error) == (0, ""), closed


@LINUX
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_cannot_be_printed_is_a_failure(program, unbuffered):
    code, _, error = shell(f"{command(program)} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    if program == "figures" and unbuffered:
        assert code == 0  # argparse prints the help, and looks away
        return
    assert code == 1
    assert is_one_line(error)
    assert "No space left" in error


TRAIN_LITTLE = "--num-train-iter 2 --batch-size 10 --chains 10 --eval-samples 1 --eval-temperatures 3 --sweeps 1"
TABLE = f"table1 {TRAIN_LITTLE} --samples 1 --temperatures 3 --images 2 --threads 1 --out"


@LINUX
@pytest.mark.parametrize(("line", "said"), [("conformance export", "quantities and manifest.json"), (TABLE, "wrote ")])
def test_progress_that_cannot_be_shown_is_no_failure(tmp_path, line, said):
    code, out, _ = shell(f"$PYTHON -m dvae_ref {line} {tmp_path / 'out'} 2>/dev/full")
    assert code == 0
    assert said in out


@POSIX
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_reads_on(unbuffered):
    line = "set -o pipefail; $PYTHON -m dvae_ref conformance show '*' | head -1"
    code, out, error = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert code == 1
    assert out.count("\n") == 1
    assert error == ""


@POSIX
@pytest.mark.parametrize("encoding", ["ascii", "cp932"])
def test_characters_that_the_stream_does_not_have(encoding):
    """The dot of a·z, which neither has, is written as an escape. All help is printed, too."""
    code, out, error = shell("$PYTHON -m dvae_ref conformance show '*'", PYTHONIOENCODING=encoding)
    assert (code, error) == (0, "")
    assert r"\xb7" in out
    for words in ("dvae_ref", "dvae_ref train", "dvae_ref table1", "validation", "figures"):
        code, out, error = shell(f"$PYTHON -m {words} --help", PYTHONIOENCODING=encoding)
        assert (code, error) == (0, "")
        assert "usage" in out


def texts(source):
    """Lines of a source that read or write text in the encoding of whoever runs it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not any(keyword.arg == "encoding" for keyword in node.keywords):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            mode = [argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)]
            if name in ("read_text", "write_text") or (
                isinstance(node.func, ast.Name) and name == "open" and "b" not in "".join(mode)
            ):
                yield node.lineno


def test_text_in_files_is_utf_8():
    root = Path(entry.__file__).parents[2]
    for path in (path for name in PROGRAMS for path in (root / name).rglob("*.py")):
        assert not list(texts(path.read_text(encoding="utf-8"))), path
    assert len(list(texts("open(p)\nopen(p, 'w')\nopen(p, 'rb')\np.read_text()\np.read_text(encoding='utf-8')"))) == 3


STREAMS = """
import os, sys
from dvae_ref.program import entry
entry.open_streams()
print([os.fstat(number).st_rdev == os.stat(os.devnull).st_rdev for number in (0, 1, 2)], file=open(sys.argv[1], "w"))
print(open(os.devnull).fileno() > 2, file=open(sys.argv[1], "a"))
"""


@LINUX
def test_the_numbers_of_closed_streams_are_taken(tmp_path):
    """Otherwise the next file that is opened gets them, and what is printed."""
    (tmp_path / "code.py").write_text(STREAMS)
    code, _, _ = shell(f"$PYTHON {tmp_path / 'code.py'} {tmp_path / 'out'} >&- 2>&- <&-")
    assert code == 0
    assert (tmp_path / "out").read_text() == "[True, True, True]\nTrue\n"


# -- what is wrong, in a line, before the work -------------------------------------------------------------------------

DEEP = "a/" * 2000
LINES = {
    "--": ("dvae_ref train --run-dir=--", 2, "expected a value, got --"),
    "-- of figures": ("figures fig1 --out=--", 2, "expected a value, got --"),
    "-- of validation": ("validation --out=-- --quick ais", 2, "expected a value, got --"),
    "deep": (f"dvae_ref train --num-train-iter 2 --run-dir {DEEP}", 1, "too many folders"),
    "deep kit": (f"dvae_ref conformance export {DEEP}", 1, "too many folders"),
    "deep report": (f"validation --quick ais --out {DEEP}", 1, "too many folders"),
    "deep figures": (f"figures fig1 --quick --out {DEEP}", 1, "too many folders"),
    "deep table": (f"dvae_ref table1 --num-train-iter 2 --out {DEEP}", 1, "too many folders"),
    "long": (f"dvae_ref train --num-train-iter 2 --run-dir {'a' * 3000}", 1, "File name too long"),
    "nobody": ("dvae_ref train --num-train-iter 2 --data-dir '~nosuchuser' --run-dir {tmp}/run", 1, "~nosuchuser"),
    "nobody lists": ("dvae_ref data fetch omniglot --data-dir '~nosuchuser'", 1, "~nosuchuser"),
    "a file for a folder": ("validation --quick ais --out {tmp}/file", 1, "File exists"),
    "a file for figures": ("figures fig1 --quick --out {tmp}/file", 1, "File exists"),
    "a folder for a file": ("validation --quick ais --out {tmp}/taken", 1, "it is a folder"),
    "a folder for a picture": ("figures fig1 --quick --out {tmp}/taken", 1, "it is a folder"),
}


@POSIX
@pytest.mark.parametrize(("line", "code", "said"), LINES.values(), ids=LINES)
def test_one_line(tmp_path, line, code, said):
    """Of usage it is the last one. None of them took the seconds that the work takes."""
    (tmp_path / "file").touch()
    for name in ("report.html", "fig1.pdf"):
        (tmp_path / "taken" / name).mkdir(parents=True)
    found, out, error = shell(f"cd {tmp_path}; $PYTHON -m {line.format(tmp=tmp_path)}", PYTHONPATH=os.getcwd())
    assert (found, out) == (code, "")
    assert said in error.splitlines()[-1]
    assert code == 2 or is_one_line(error)
    assert "Traceback" not in error


def test_warnings_of_ours_are_sentences_and_others_say_where_they_are_from():
    code = """
import warnings
from dvae_ref.program import entry

def main():
    warnings.warn("replicas are few")
    warnings.warn("overflow", RuntimeWarning)

entry.run(main)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["warning: replicas are few", "<string>:7: RuntimeWarning: overflow"]


@POSIX
@pytest.mark.parametrize("program", PROGRAMS)
def test_without_docstrings(program):
    code, out, error = shell(command(program, ["-OO"]))
    assert (code, error) == (0, "")
    assert out == shell(command(program))[1]


@POSIX
def test_a_kit_without_docstrings_is_the_same(tmp_path):
    for options in ("", "-OO"):
        code, _, error = shell(f"$PYTHON {options} -m dvae_ref conformance export {tmp_path}/kit{options}")
        assert code == 0, error
    assert (tmp_path / "kit-OO" / "manifest.json").read_bytes() == (tmp_path / "kit" / "manifest.json").read_bytes()


@POSIX
def test_without_the_compiler_the_readable_forms_work_and_samplers_say_why_not():
    readable = """
import numpy as np
from dvae_ref import exact
from dvae_ref.fast import jit
from dvae_ref.sampling import gibbs, philox
from dvae_ref.theory import elementary
from dvae_ref.theory.boltzmann import RBM

x = np.linspace(-3, 3, 5, dtype=np.float32)
assert np.array_equal(elementary.sigmoid(x), elementary.sigmoid.readable(x)) or jit.ENABLED
rbm = RBM(np.ones(4), np.ones((2, 2)))
print(round(exact.log_z(rbm), 6), *philox.uniform(philox.key(0), 3))
try:
    gibbs.sweep(philox.key(0), gibbs.chains_from(np.zeros((2, 4)), (2, 2)), rbm, 1)
except RuntimeError as error:
    print(error)
"""
    found = [shell(f"$PYTHON -c '{readable}'", NUMBA_DISABLE_JIT=disabled) for disabled in ("1", "0")]
    assert [code for code, *_ in found] == [0, 0], found
    without, compiled = (out.splitlines() for _, out, _ in found)
    assert without[0] == compiled[0]
    assert "NUMBA_DISABLE_JIT is set" in without[1]


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


@LINUX
@pytest.mark.parametrize("library", ["_multiarray_umath", "libllvmlite", "_ufuncs"])
@pytest.mark.parametrize("program", ["dvae_ref", "figures"])
def test_ctrl_c_while_libraries_are_loaded(program, library, tmp_path):
    """As soon as the library is there: NumPy's, numba's, SciPy's."""
    arguments = {"figures": ["fig1", "--quick"], "dvae_ref": ["train", "--num-train-iter", "100000"]}[program]
    process = subprocess.Popen(
        [sys.executable, "-m", program, *arguments, "--out" if program == "figures" else "--run-dir", tmp_path / "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    maps, end = Path(f"/proc/{process.pid}/maps"), time.monotonic() + 60
    while library not in maps.read_text():
        assert time.monotonic() < end
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert b"ignored" not in error
    assert not out


SOON = 10  # seconds: it takes one or two, on a machine that has time for it

ENDLESS = """
import time
from dvae_ref.runs import training

def iterate(state, *rest, original=training.iterate):
    while state.iteration == 3:
        time.sleep(0.01)
    return original(state, *rest)

training.iterate = iterate
"""
TRAIN = """
import sys
from dvae_ref import cli
from dvae_ref.program import entry
entry.leave_on_interrupt()
sys.argv = ["dvae_ref", *sys.argv[1:]]
entry.run(cli.main)
"""
SMALL = ["--batch-size", "10", "--chains", "10", "--sweeps", "1", "--log-every", "3", "--num-train-iter", "1000"]


@POSIX
@pytest.mark.parametrize("signals", [[signal.SIGINT] * 2, [signal.SIGTERM]])
def test_an_iteration_that_does_not_end(tmp_path, signals):
    """SIGTERM abandons it after a second, and a checkpoint is written; Ctrl-C twice leaves the last one."""
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS + TRAIN, "train", *SMALL, "--run-dir", folder],
        stderr=subprocess.PIPE,
        env=environment(),
    )
    end = time.monotonic() + 120
    while not (folder / "metrics.jsonl").exists() or not (folder / "metrics.jsonl").read_bytes():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    start = time.monotonic()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert time.monotonic() - start < SOON
    assert b"Traceback" not in error
    reached = writing.read_header(folder / "last.npz")["iteration"]
    assert reached == (3 if signals == [signal.SIGTERM] else 0)


IGNORED = """
import time
from dvae_ref.program import entry

class Ill:
    def __del__(self):
        raise KeyboardInterrupt

def main():
    found = Ill()
    del found
    time.sleep(60)
    return 0

entry.run(main)
"""


def test_ctrl_c_that_python_can_only_ignore_comes_again():
    """As where numba, or whoever compiles, is called back from C. Control: another exception is Python's to report."""
    for kind, code, said in (("KeyboardInterrupt", 130, b""), ("ValueError", 0, b"Exception ignored in: ")):
        source = IGNORED.replace("KeyboardInterrupt", kind).replace("60", "60" if code else "0")
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, env=environment(), timeout=50)
        assert done.returncode == code
        assert done.stderr.startswith(said)
        assert bool(done.stderr) == bool(said)


STUBBORN = """
import threading, time
from dvae_ref.program import entry

def main():
    threading.Thread(target=time.sleep, args=(60,)).start()
    print("begun", flush=True)
    time.sleep(60)
    return 0

entry.leave_on_interrupt()
entry.ready()
entry.run(main)
"""


@POSIX
def test_interrupted_it_does_not_wait_for_threads_that_do_not_end():
    code = [sys.executable, "-c", STUBBORN]
    process = subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout.readline() == b"begun\n"
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"")
    assert time.monotonic() - start < 10


@POSIX
@pytest.mark.parametrize("presses", [1, 2])
def test_two_signals_within_one_call_of_compiled_code(presses):
    """Python calls the handler once then, and it would be taken for the first. One is one."""

    def press():
        for _ in range(presses):
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

    def work():
        threading.Thread(target=press).start()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000_000)  # a second, in which no Python runs here
        end = time.monotonic() + 3
        while time.monotonic() < end:
            time.sleep(0.01)

    with interrupt.Interrupt() as interrupted:
        if presses == 2:
            with pytest.raises(KeyboardInterrupt):
                work()
        else:
            work()
        assert interrupted()


SWEEPS, TEMPERATURES = "400000000", "10000000"  # hours


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder of the least training."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    done = shell(f"$PYTHON -m dvae_ref train {TRAIN_LITTLE} --run-dir {folder}")
    assert done[0] == 0, done[2]
    return folder


def test_a_ctrl_c_that_comes_while_it_is_being_ignored(monkeypatch):
    given = []

    def interrupted_once(number, handler):
        given.append((number, handler))
        if len(given) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(entry.signal, "signal", interrupted_once)
    entry._ignore_interrupts()
    assert given == [(signal.SIGINT, signal.SIG_IGN)] * 2


@LINUX
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(("signals", "code"), [([signal.SIGINT] * 2, 130), ([signal.SIGTERM], -signal.SIGTERM)])
@pytest.mark.parametrize("command", ["sample", "train", "evaluate"])
def test_a_sampler_that_takes_hours(trained, tmp_path, command, signals, code, threads):
    """Training that is told by SIGTERM leaves its checkpoint; what leaves nothing behind ends by the signal itself. Two
    signals may come within one call of compiled code."""
    options = {
        "sample": ["--run-dir", trained, "--out", tmp_path / "picture.png", "--sweeps", SWEEPS],
        "evaluate": ["--run-dir", trained, "--temperatures", TEMPERATURES, "--samples", "1", "--images", "1"],
        "train": [*TRAIN_LITTLE.split()[:-2], "--sweeps", SWEEPS, "--run-dir", tmp_path / "run"],
    }
    line = [sys.executable, "-m", "dvae_ref", command, *options[command], "--threads", threads]
    if int(threads) > console.usable_cores():
        pytest.skip("there is one core")
    process = subprocess.Popen(line, stderr=subprocess.PIPE, env=environment())
    wait_for_work(process)
    start = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    _, error = process.communicate(timeout=120)
    assert process.returncode == (130 if command == "train" else code), error
    assert time.monotonic() - start < SOON
    assert b"Traceback" not in error


def wait_for_work(process):
    """Until it has been at work for a second of CPU time after the kernels were loaded: what comes then is sampling."""
    maps, end = Path(f"/proc/{process.pid}/maps"), time.monotonic() + 120
    while "_ufuncs" not in maps.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    begun = cpu_seconds(process)
    while cpu_seconds(process) < begun + 5:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
