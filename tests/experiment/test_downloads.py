"""Downloads from a server on this machine: what is good arrives, what is not leaves no trace."""

import functools
import hashlib
import http.server
import sys
import threading

import pytest

from dvae_ref.experiment import datasets, downloads, image_files

pytest.importorskip("pooch")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; /cut-off/FILE promises all of FILE and sends half of it."""

    def log_message(self, *_):
        pass

    def do_GET(self):
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


def fetch(root, *alternatives):
    """Fetch a made-up set; returns (paths, what was reported)."""
    told = []
    paths = downloads.fetch("some", root, report=told.append, sources={"some": alternatives})
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


def test_the_next_source_is_tried_and_told(published, tmp_path):
    folder, address = published
    (folder / "b").write_bytes(b"b")
    paths, told = fetch(tmp_path, [remote(address, "a", b"a")], [remote(address, "b", b"b")])
    assert paths == [tmp_path / "SET" / "b"]
    assert "404" in told
    assert "Trying the next source of some." in told


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


def test_without_pooch_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(OSError, match=r"pip install dvae_ref\[data\]"):
        fetch(tmp_path, [remote("http://127.0.0.1:9", "a", b"")])


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
