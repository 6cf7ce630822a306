"""Downloads from a server on this machine: what is good arrives, what is not leaves no trace."""

import functools
import hashlib
import http.server
import io
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from dvae_ref.runs import datasets, downloads, image_files

pooch = pytest.importorskip("pooch")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; /cut-off/FILE promises all of FILE and sends half of it, /moved/FILE leads to FILE."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            return self.end_headers()
        if not self.path.startswith("/cut-off/"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(bytes(500))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """(folder that is served, its address)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "published"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def verify(path, sha1):
    image_files.check_digest(path, path.read_bytes(), "sha1", sha1)


def remote(address, file, content):
    """A file as SOURCES would list it, with the checksum of `content`."""
    sha1 = hashlib.sha1(content).hexdigest()
    return downloads.Remote(f"SET/{file}", f"{address}/{file}", functools.partial(verify, sha1=sha1), f"sha1 {sha1}")


def fetch(root, *alternatives, insecure=False):
    """Fetch a made-up set; returns (paths, what was reported)."""
    told = []
    paths = downloads.fetch("some", root, insecure=insecure, report=told.append, sources={"some": alternatives})
    return paths, "\n".join(told)


def contents(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_good_files_arrive_and_are_not_fetched_again(published, tmp_path):
    folder, address = published
    files = [remote(address, name, name.encode() * 100) for name in ("a", "b")]
    for name in ("a", "b"):
        (folder / name).write_bytes(name.encode() * 100)
    paths, told = fetch(tmp_path / "data", files)
    assert paths == [tmp_path / "data" / "SET" / name for name in ("a", "b")]
    assert [path.read_bytes() for path in paths] == [b"a" * 100, b"b" * 100]
    assert contents(tmp_path / "data") == ["SET/a", "SET/b"]
    assert told.count("verified (sha1 ") == 2

    (folder / "a").unlink()  # no longer published, but here
    paths[1].write_bytes(b"damaged since")
    assert fetch(tmp_path / "data", files)[0] == paths
    assert paths[1].read_bytes() == b"b" * 100


@pytest.mark.parametrize("bad", ["corrupted", "absent", "cut-off"])
def test_all_files_arrive_or_none(published, tmp_path, bad):
    folder, address = published
    (folder / "a").write_bytes(b"a" * 1000)
    (folder / "b").write_bytes(b"b" * 999 + b"c")
    good, second = remote(address, "a", b"a" * 1000), remote(address, "b", b"b" * 1000)
    complaint = {
        "corrupted": f"refused what was downloaded: .*b: sha1 .* is {hashlib.sha1(b'b' * 999 + b'c').hexdigest()}, "
        f"expected {hashlib.sha1(b'b' * 1000).hexdigest()}",
        "absent": "404",
        "cut-off": "500 bytes read, 500 more expected",
    }[bad]
    if bad != "corrupted":
        second = second._replace(url=f"{address}/{bad}/b")
    with pytest.raises(OSError, match=complaint):
        fetch(tmp_path / "data", [good, second])
    assert contents(tmp_path / "data") == []
    assert list((tmp_path / "data").iterdir()) == []


BINARY = np.random.default_rng(0).integers(0, 2, (4, 784), np.uint8)


def amat(rows):
    return ("\n".join(" ".join(map(str, row)) for row in rows) + "\n").encode()


def unverifiable(address):
    """A file without a published checksum: nobody answers at its address over https; `address` is the plain one."""
    verify = functools.partial(image_files.read_amat, n=2)
    return downloads.Remote("SET/x.amat", "https://127.0.0.1:9/x.amat", verify, "layout", f"{address}/x.amat")


def test_without_a_checksum_plain_http_has_to_be_asked_for(published, tmp_path):
    """It says so, and what the next source is; nothing is asked over plain http before."""
    folder, address = published
    (folder / "x.amat").write_bytes(amat(BINARY[:2]))
    (folder / "b").write_bytes(b"b")
    paths, told = fetch(tmp_path / "data", [unverifiable(address)], [remote(address, "b", b"b")])
    assert paths == [tmp_path / "data/SET/b"]
    assert "only with --insecure. Without them it goes on with the IDX files" in told
    assert "another binarization: log-likelihoods differ by 0.1 nats" in told
    assert contents(tmp_path / "data") == ["SET/b"]
    paths, told = fetch(tmp_path / "data", [unverifiable(address)], [remote(address, "b", b"b")], insecure=True)
    assert paths == [tmp_path / "data/SET/x.amat"]
    assert "--insecure" not in told


def test_the_sha256_of_what_came_is_kept_and_held_against_it(published, tmp_path):
    """What is damaged since is fetched again; what comes the second time must be what came the first time."""
    folder, address = published
    (folder / "x.amat").write_bytes(amat(BINARY[:2]))
    (path,), _ = fetch(tmp_path, [unverifiable(address)], insecure=True)
    record = tmp_path / "SET/x.amat.sha256"
    digest = hashlib.sha256(amat(BINARY[:2])).hexdigest()
    assert record.read_text() == f"{digest}  x.amat\n"
    path.write_bytes(amat(BINARY[2:]))
    with pytest.raises(ValueError, match=r"x\.amat: sha256 is .*, but .* says .*, of the file that came first"):
        image_files.read_amat(path, 2)
    fetch(tmp_path, [unverifiable(address)], insecure=True)
    assert path.read_bytes() == amat(BINARY[:2])
    path.unlink()
    (folder / "x.amat").write_bytes(amat(BINARY[2:]))
    with pytest.raises(OSError, match=r"refused what was downloaded: .* but .*x\.amat\.sha256 says .* that came first"):
        fetch(tmp_path, [unverifiable(address)], insecure=True)
    assert not path.exists()


def test_what_was_put_there_by_hand_gets_a_record_when_it_is_fetched(published, tmp_path):
    (tmp_path / "SET").mkdir()
    (tmp_path / "SET/x.amat").write_bytes(amat(BINARY[:2]))
    fetch(tmp_path, [unverifiable(published[1])])
    assert (tmp_path / "SET/x.amat.sha256").read_text().startswith(hashlib.sha256(amat(BINARY[:2])).hexdigest())


def test_https_is_not_left_for_plain_http(published):
    """By a redirection: at each answer it is asked, before what is in it is taken."""
    folder, address = published
    (folder / "a").write_bytes(b"a")
    asked = []

    def ask(response, **_):
        asked.append(response.url)
        if len(asked) > 2:
            raise OSError("not there")

    pooch.HTTPDownloader(hooks={"response": ask})(f"{address}/moved/a", io.BytesIO(), None)
    assert asked == [f"{address}/moved/a", f"{address}/a"]
    with pytest.raises(OSError, match="not there"):
        pooch.HTTPDownloader(hooks={"response": ask})(f"{address}/a", io.BytesIO(), None)

    class Answer:
        url = "https://somewhere/x.amat"

    downloads._stay_secure(Answer)
    Answer.url = "http://somewhere/x.amat"
    with pytest.raises(OSError, match=r"it leads to http://somewhere/x\.amat, which is not https"):
        downloads._stay_secure(Answer)


def test_only_https_is_asked_without_being_told(monkeypatch, tmp_path):
    """Of all sources, first; plain http is there for the .amat files alone, and only when asked for."""
    asked = []

    def note(url, path):
        asked.append(url)
        raise OSError(f"{url}: no network")

    monkeypatch.setattr(downloads, "_get", note)
    for name in downloads.SOURCES:
        with pytest.raises(OSError, match="could not be downloaded"):
            downloads.fetch(name, tmp_path, report=lambda _: None)
    assert len(asked) == 3
    assert all(url.startswith("https://") for url in asked)
    with pytest.raises(OSError, match="could not be downloaded"):
        downloads.fetch("binarized_mnist", tmp_path, insecure=True, report=lambda _: None)
    assert [url for url in asked if url.startswith("http:")] == [downloads.AMAT[0].insecure]


def test_no_more_is_taken_than_a_file_may_have(published, tmp_path, monkeypatch):
    folder, address = published
    (folder / "a").write_bytes(b"a" * 1000)
    monkeypatch.setattr(downloads, "MOST", 999)
    with pytest.raises(OSError, match="/a: more than 999 bytes"):
        fetch(tmp_path / "data", [remote(address, "a", b"a" * 1000)])
    monkeypatch.setattr(downloads, "MOST", 1000)
    assert fetch(tmp_path / "data", [remote(address, "a", b"a" * 1000)])[0]


def test_a_web_page_in_place_of_a_file_is_called_that(published, tmp_path):
    folder, address = published
    (folder / "x.amat").write_bytes(b"<!DOCTYPE html><title>Please sign in</title>")
    with pytest.raises(OSError, match=r"refused what was downloaded: .*x\.amat: this is a web page"):
        fetch(tmp_path / "data", [unverifiable(address)], insecure=True)
    assert contents(tmp_path / "data") == []


KILLED = """
import os, signal, sys
from dvae_ref.runs import downloads

def kill(file, url, path, record):
    os.kill(os.getpid(), signal.SIGKILL)

downloads._verify = kill
remote = downloads.Remote("SET/a", sys.argv[2], None, "")
downloads.fetch("some", sys.argv[1], sources={"some": [[remote]]})
"""


def test_what_a_killed_fetch_left_goes_with_the_next(published, tmp_path):
    folder, address = published
    (folder / "a").write_bytes(b"a")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "data", f"{address}/a"], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "data").iterdir()
    assert [path.name for path in left.iterdir()] == ["a"]
    fetch(tmp_path / "data", [remote(address, "a", b"a")])
    assert contents(tmp_path / "data") == ["SET/a"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["SET"]


def test_the_next_source_is_tried_and_told(published, tmp_path):
    folder, address = published
    (folder / "b").write_bytes(b"b")
    paths, told = fetch(tmp_path, [remote(address, "a", b"a")], [remote(address, "b", b"b")])
    assert paths == [tmp_path / "SET" / "b"]
    assert "404" in told
    assert "Trying the next source of some." in told


def test_after_the_last_source_no_next_one_is_promised(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    told = []
    sources = {"some": [[remote("http://127.0.0.1:9", name, b"")] for name in ("a", "b")]}
    with pytest.raises(OSError, match="some could not be downloaded:"):
        downloads.fetch("some", tmp_path, sources=sources, report=told.append)
    assert sum("Trying the next source of some." in line for line in told) == 1


def test_no_network_says_what_to_put_where(tmp_path, monkeypatch):
    """Port 9 of this machine stands for a network that is not there."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    files = [[remote("http://127.0.0.1:9", name, b"")] for name in ("a", "b")]
    with pytest.raises(OSError, match="some could not be downloaded:") as error:
        fetch(tmp_path, *files)
    for name in ("a", "b"):
        place, url, sha1 = tmp_path / "SET" / name, f"http://127.0.0.1:9/{name}", hashlib.sha1(b"").hexdigest()
        assert f"{place}  from {url}  (sha1 {sha1})" in str(error.value)
        assert f"{url}: " in str(error.value)
    headings = [line for line in str(error.value).splitlines() if not line.startswith(" ")]
    assert headings == ["some could not be downloaded:", "Put these files there by hand:", "or these:"]


def test_without_pooch_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    said = []
    both = {"set": ([remote("http://127.0.0.1:9", "a", b"")], [remote("http://127.0.0.1:9", "b", b"")])}
    with pytest.raises(OSError, match="pip install pooch") as error:
        downloads.fetch("set", tmp_path, report=said.append, sources=both)
    assert (said, str(error.value).count("pip install pooch")) == ([], 1)  # once, whatever the number of sources


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown data set 'mnist'; there are binarized_mnist, omniglot to fetch"):
        downloads.fetch("mnist", tmp_path)
    with pytest.raises(ValueError, match="mnist5k comes with the package"):
        downloads.fetch("mnist5k", tmp_path)


@pytest.mark.parametrize(
    ("files", "folder", "wanted"),
    [
        (downloads.AMAT, "MNIST", datasets.AMAT_FILES),
        (downloads.IDX, "MNIST", datasets.IDX_FILES),
        (downloads.OMNIGLOT, "OMNIGLOT", datasets.CHARDATA),
    ],
)
def test_downloads_go_where_load_looks_and_are_really_verified(tmp_path, files, folder, wanted):
    for file in files:
        path = tmp_path / file.place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        with pytest.raises(ValueError, match=path.name):
            file.verify(path)
    assert list(datasets._find(tmp_path, folder, wanted)) == list(wanted)


def test_real_files_pass_the_check_of_their_download(data_dir):
    """The IDX files, if they are gzipped as published; the local chardata.mat may be a re-derivation."""
    for file in downloads.IDX:
        if not (data_dir / file.place).is_file():
            pytest.skip(f"{file.place} is not in the data folder")
        assert downloads._is_valid(file, data_dir / file.place)
