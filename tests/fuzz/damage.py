"""Damage to bytes, and to what stands where a file should."""

import gzip
import os
import stat
import struct
import zlib

WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
MAGIC = (b"PK\3\4", b"\x1f\x8b\x08", b"\x93NUMPY", b"\0\0\x08\3", b"\x89PNG\r\n\x1a\n", b"BZh9", b"MATLAB 5.0")
SIZES = (0, 1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def of_bytes(random, content):
    """The same bytes, damaged in one way."""
    return random.choice(OF_BYTES)(random, bytes(content))


def place(random, content):
    """Where to damage: half of the time in the first or the last hundred bytes, where headers and directories are."""
    n = len(content)
    if random.random() < 0.5 and n > 200:
        return random.choice([random.randrange(100), n - 1 - random.randrange(100)])
    return random.randrange(n) if n else 0


def truncated(random, content):
    return content[: random.choice([0, 1, 2, 4, 10, 30, len(content) // 2, len(content) - 1, place(random, content)])]


def flipped(random, content):
    found = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 10, 200])):
        if found:
            found[place(random, found)] ^= 1 << random.randrange(8)
    return bytes(found)


def overwritten(random, content):
    at, filling = place(random, content), random.choice([b"\0", b"\xff", b"9", b"{", random.randbytes(1)])
    size = random.choice([1, 2, 4, 8, 64, 1000])
    return content[:at] + filling * size + content[at + size :]


def sized(random, content):
    """A field of four bytes that says something else."""
    at, form = place(random, content), random.choice(["<I", ">I"])
    return content[:at] + struct.pack(form, random.choice(SIZES)) + content[at + 4 :]


def cut_out(random, content):
    at, size = place(random, content), random.choice([1, 4, 100, 5000])
    return content[:at] + content[at + size :]


def repeated(random, content):
    at, size = place(random, content), random.choice([1, 4, 100, 5000])
    return content[:at] + content[at : at + size] * 2 + content[at + size :]


def lengthened(random, content):
    return content + random.choice([b"\0", b"\n", b"\n{}\n", b"garbage" * 20, bytes(10_000), content])


def preceded(random, content):
    return random.choice([b"\xef\xbb\xbf", b"\n", b"\xff\xfe", WEB_PAGE, *MAGIC]) + content


def replaced(random, content):
    return random.choice([b"", b"\n", b"null", WEB_PAGE, random.randbytes(300), bytes(len(content)), *MAGIC])


def packed(_, content):
    return gzip.compress(content, 1)


def bomb(random, content):
    """16 MB of zeros in 16 kB, or a little more than what belongs there, and zeros after it."""
    return gzip.compress(random.choice([b"", content]) + bytes(2**24), 1)


def other_text(_, content):
    """Text in another encoding."""
    return content.decode("utf-8", errors="replace").encode("utf-16")


def packed_wrongly(random, content):
    """gzip whose checksum or length is not that of what is in it."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    whole = compressor.compress(content) + compressor.flush()
    return whole[: -random.choice([1, 4, 8])] + random.randbytes(random.choice([0, 4]))


OF_BYTES = (truncated, truncated, flipped, flipped, overwritten, sized, cut_out, repeated, lengthened, preceded,
            replaced, packed, bomb, other_text, packed_wrongly)  # fmt: skip


def of_place(random, path):
    """Something else where a file was: nothing, a folder, a link, a pipe, a device, a socket's like."""
    path.unlink(missing_ok=True)
    random.choice(OF_PLACE)(path)


def folder(path):
    path.mkdir()


def full_folder(path):
    path.mkdir()
    (path / "precious.txt").write_text("mine")


def loop(path):
    path.symlink_to(path.name)


def dangling(path):
    path.symlink_to("nowhere/at/all")


def linked_folder(path):
    path.symlink_to(".")


def pipe(path):
    os.mkfifo(path)


def device(path, number=(1, 3)):
    """/dev/null, by another name; where one may not make it, a link to it."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(*number))
    except PermissionError:
        path.symlink_to("/dev/null")


def zero(path):
    device(path, (1, 5))


def unreadable(path):
    path.write_bytes(b"")
    path.chmod(0)


def nothing(path):
    pass


OF_PLACE = (folder, full_folder, loop, dangling, linked_folder, pipe, device, zero, unreadable, nothing, nothing)
