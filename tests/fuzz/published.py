"""A server on this machine that publishes small data, slowly: what `data fetch` gets instead of the real."""

import functools
import http.server
import os
import signal
import time

CHUNK, PAUSE = 2**12, 0.03  # bytes, and seconds after each


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        while chunk := source.read(CHUNK):
            outputfile.write(chunk)
            time.sleep(PAUSE)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Whoever was downloading has been killed: nothing to say."""


def serve(folder):
    """(process id, address) of a server in a process of its own."""
    handler = functools.partial(Handler, directory=str(folder))
    server = Server(("127.0.0.1", 0), handler)
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            server.serve_forever(0.1)
        finally:
            os._exit(0)
    server.server_close()
    return pid, f"http://127.0.0.1:{server.server_port}"


def publish(address):
    """Tell the package, in this process, that small data are what was published, and where."""
    from dvae_ref.runs import datasets, downloads, image_files

    os.environ["NO_PROXY"] = "127.0.0.1"
    amat = [
        file._replace(
            url=f"{address}/{file.place}",
            insecure=f"{address}/{file.place}",
            verify=functools.partial(image_files.read_amat, n=datasets.AMAT_FILES[os.path.basename(file.place)]),
        )
        for file in downloads.AMAT
    ]
    idx = []
    for file, (n, md5) in zip(downloads.IDX, datasets.IDX_FILES.values(), strict=True):
        verify = functools.partial(image_files.read_idx, n=n, md5=md5)
        idx.append(file._replace(url=f"{address}/{file.place}", verify=verify))
    downloads.SOURCES["binarized_mnist"] = (amat, idx)
