"""Public recordings: whatever the network, the server or the disk does, a file is whole or absent.

A server on this machine misbehaves in every way that has been seen; nothing else is asked.
"""

import errno
import gzip
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import jupyter_client
import numpy as np
import pytest

from critlib import _download
from critlib.recordings import FetchError, fetch, load_recording

ROOT = Path(__file__).resolve().parent.parent
X = np.random.default_rng(0).random((100, 1000)).astype(np.float32)  # 400 kB
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.fixture(scope="session")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "content.npy"
    np.save(path, X)
    return path.read_bytes()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.asked = []  # path and Range of each request
        self.going_on = threading.Event()  # what a hanging answer waits for
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"

    @property
    def ranges(self):
        return [span for _, span in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked.append((self.path[1:], self.headers.get("Range")))
        getattr(self, self.path[1:].split("/")[0])()

    def reply(self, status=200, body=b"", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def start(self):
        """Where the client wants to begin."""
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(span[1]) if span else 0

    def good(self):
        content, start = self.server.content, self.start()
        if not start:
            self.reply(body=content)
        elif start >= len(content):
            self.reply(416, Content_Range=f"bytes */{len(content)}")
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.reply(206, content[start:], Content_Range=span)

    def without_range(self):
        self.reply(body=self.server.content)

    def without_length(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.server.content)
        self.close_connection = True

    def packed(self):  # though nobody asked for it
        self.reply(body=gzip.compress(self.server.content), Content_Encoding="gzip")

    def another_range(self):  # begins where it was not asked to
        content = self.server.content
        self.reply(206, content[7:], Content_Range=f"bytes 7-{len(content) - 1}/{len(content)}")

    def redirect(self):
        self.reply(302, Location="/good")

    def circle(self):
        self.reply(302, Location="/circle")

    def status(self):
        self.reply(int(self.path.split("/")[-1]), b"no")

    def empty(self):
        self.reply(int(self.path.split("/")[-1]))

    def page(self):
        self.reply(body=b"\xef\xbb\xbf" + PAGE, Content_Type="text/html; charset=utf-8")

    def page_in_disguise(self):
        self.reply(body=b"\n " + PAGE, Content_Type="application/octet-stream")

    def short(self):  # the answer says more than comes
        self.reply(body=self.server.content[:150_000], length=len(self.server.content))
        self.close_connection = True

    def first_short(self):
        self.short() if len(self.server.asked) == 1 else self.good()

    def first_short_without_range(self):
        self.short() if len(self.server.asked) == 1 else self.without_range()

    def shortened(self):  # the answer says honestly that it is not all
        self.reply(body=self.server.content[:150_000])

    def wrong(self):
        self.reply(body=b"x" + self.server.content[1:])

    def hang(self):  # before a word is said
        self.server.going_on.wait(60)

    def stall(self):  # in the middle
        content, start = self.server.content, self.start()
        if start:
            return self.good()
        self.reply(body=content[:200_000], length=len(content))
        self.server.going_on.wait(60)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
        self.close_connection = True


@pytest.fixture
def server(content):
    server = Server(content)
    yield server
    server.going_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def known(server, content, monkeypatch):
    """Put addresses of the server into the registry, under the name "test"."""

    def put(*paths, hash=None):
        entry = _download.Entry(
            file="test.npy",
            addresses=tuple(path if "://" in path else server.address(path) for path in paths),
            hash=hash or "sha256:" + hashlib.sha256(content).hexdigest(),
            size=len(content),
            licence="CC0",
            citation="Nobody 2026",
            about="noise",
            to_open="load_recording(path, dt=1)",
        )
        monkeypatch.setitem(_download.REGISTRY, "test", entry)
        return entry

    return put


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def good_files(cache):
    """What fetch would take for good, or a reader for a recording."""
    if not cache.exists():
        return []
    return sorted(p.name for p in cache.iterdir() if p.name != "partial")


def kept(cache):
    part = cache / "partial" / "test.npy"
    return part.stat().st_size if part.exists() else 0


def get(cache, **options):
    return fetch("test", **{"confirm": True, "cache": cache, "timeout": 5} | options)


def whole(path, cache, content):
    assert path == cache / "test.npy" and path.read_bytes() == content
    assert good_files(cache) == ["test.npy"] and kept(cache) == 0
    return True


# --- what works ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["good", "redirect", "without_range", "without_length"])
def test_a_file_is_fetched_once(path, server, known, cache, content):
    known(path)
    assert whole(get(cache), cache, content)
    asked = len(server.asked)
    assert whole(get(cache, confirm=False), cache, content)  # nobody needs to agree any more
    assert len(server.asked) == asked
    np.testing.assert_array_equal(load_recording(cache / "test.npy", dt=1).activity, X)


def test_md5_and_folders(server, known, tmp_path, content, monkeypatch):
    known("good", hash="md5:" + hashlib.md5(content).hexdigest())
    monkeypatch.setenv("CRITLIB_CACHE", str(tmp_path / "by variable"))
    assert fetch("test", confirm=True) == tmp_path / "by variable" / "test.npy"
    # what is said here counts more
    assert get(str(tmp_path / "said")) == tmp_path / "said" / "test.npy"
    monkeypatch.delenv("CRITLIB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    if sys.platform.startswith("linux"):
        assert fetch("test", confirm=True) == tmp_path / "user" / "critlib" / "test.npy"


def test_a_damaged_file_in_the_cache_is_fetched_again(server, known, cache, content, capsys):
    known("good")
    get(cache)
    (cache / "test.npy").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert whole(get(cache), cache, content)
    assert "is damaged (wrong hash), fetched again" in capsys.readouterr().err
    (cache / "test.npy").write_bytes(content[:1000])
    known("status/404")
    with pytest.raises(FetchError, match="404"):
        get(cache)
    assert good_files(cache) == []


def test_a_file_put_there_by_hand_is_checked(server, known, cache, content):
    known("status/403")
    cache.mkdir()
    (cache / "test.npy").write_bytes(content)
    assert whole(get(cache), cache, content) and server.asked == []


def test_a_broken_download_is_continued(server, known, cache, content):
    known("first_short")
    with pytest.raises(FetchError, match=r"broke off after \d+ of 400128 bytes, .*fetch again"):
        get(cache)
    have = kept(cache)
    assert good_files(cache) == [] and 0 < have <= 150_000
    assert whole(get(cache), cache, content)
    assert server.ranges == [None, f"bytes={have}-"]


def test_a_server_that_cannot_continue_starts_again(server, known, cache, content):
    known("first_short_without_range")
    with pytest.raises(FetchError, match="broke off"):
        get(cache)
    assert kept(cache) > 0
    assert whole(get(cache), cache, content)
    assert len(server.asked) == 2 and server.ranges[1] is not None


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * 500_000])
def test_a_partial_file_of_something_else_is_thrown_away(left, server, known, cache, content):
    known("good")
    (cache / "partial").mkdir(parents=True)
    (cache / "partial" / "test.npy").write_bytes(left)
    assert whole(get(cache), cache, content)
    assert server.ranges == [f"bytes={len(left)}-", None]  # continued, found wrong, begun again


def test_a_partial_file_that_is_complete_is_taken(server, known, cache, content):
    # killed after the last byte and before the file was moved to its place
    known("good")
    (cache / "partial").mkdir(parents=True)
    (cache / "partial" / "test.npy").write_bytes(content)
    assert whole(get(cache), cache, content) and server.ranges == [f"bytes={len(content)}-"]


def test_packed_on_the_way(server, known, cache, content):
    known("packed")  # Content-Length is then not that of the file
    assert whole(get(cache), cache, content)


def test_a_second_address_is_tried(server, known, cache, content):
    known("empty/202", "status/500", "good", "status/404")
    assert whole(get(cache), cache, content)
    assert [path for path, _ in server.asked] == ["empty/202", "status/500", "good"]


def test_a_second_address_continues_the_first(server, known, cache, content):
    known("short", "good")
    assert whole(get(cache), cache, content)
    assert server.asked[1][0] == "good" and server.ranges[1] is not None


# --- what does not -------------------------------------------------------------------------------

BY_HAND = r"Fetch again later, or open the address in a browser, save the file as .*test\.npy and"
FAILURES = {
    "status/403": "refuses this download .403.; some servers turn scripts away",
    "status/404": "does not have the file any more .404.",
    "status/410": "answered with status 410",
    "status/429": "too many requests .*wait an hour",
    "status/500": "answered with status 500, its own trouble: try later",
    "status/503": "answered with status 503, its own trouble: try later",
    "empty/200": "gave an empty file",
    "empty/202": "answered with an empty 202",
    "empty/204": "answered with status 204",
    "circle": "cannot be reached: .*redirects",
    "page": "gave a web page instead of the file",
    "page_in_disguise": "gave a web page instead of the file",
    "short": "broke off after .* bytes, which are kept: fetch again to continue",
    "shortened": "gave another file than the registered one .wrong hash.",
    "wrong": "gave another file than the registered one .wrong hash.",
    "another_range": "answered with status 206",
    "hang": "did not answer in time",
    "stall": "broke off after .* bytes, which are kept",
    "reset": "cannot be reached: are you online",
}


@pytest.mark.parametrize("path", FAILURES)
def test_failures_of_the_server(path, server, known, cache):
    entry = known(path)
    if path == "another_range":
        (cache / "partial").mkdir(parents=True)
        (cache / "partial" / "test.npy").write_bytes(b"x" * 1000)
    with pytest.raises(FetchError, match=f"^test: .*{FAILURES[path]}.*{BY_HAND}") as caught:
        get(cache, timeout=0.5)
    message = str(caught.value)
    assert entry.addresses[0] in message and str(cache) in message and "\n" not in message
    assert good_files(cache) == []
    # only the beginning of the right file may be kept
    assert (kept(cache) > 0) == ("kept" in message or path == "another_range")
    # and once the server is well again, so is the file
    known("good")
    assert get(cache).name == "test.npy" and good_files(cache) == ["test.npy"]


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_offline(host, known, cache, monkeypatch):
    known(f"http://{host}:{closed_port()}/file")
    with pytest.raises(FetchError, match=f"are you online.*{BY_HAND}"):
        get(cache)
    assert good_files(cache) == [] and kept(cache) == 0


def test_a_certificate_that_does_not_hold(known, cache, monkeypatch):
    import requests

    def refuse(*args, **kwargs):
        raise requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")

    monkeypatch.setattr(requests, "get", refuse)
    known("https://example.invalid/file")
    with pytest.raises(FetchError, match="cannot be trusted: its certificate does not hold"):
        get(cache)


def test_all_addresses_are_named(server, known, cache):
    known("status/403", "empty/202")
    with pytest.raises(FetchError, match="status/403 refuses .*; .*empty/202 answered with an emp"):
        get(cache)


class Full:
    """A file on a disk that fills up."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, chunk):
        if self.file.tell() + len(chunk) > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(chunk)


def test_disk_that_fills_up(server, known, cache, content, monkeypatch):
    known("good")

    def opened(path, mode="r"):
        file = open(path, mode)
        return Full(file) if mode in ("wb", "ab") else file

    monkeypatch.setattr(_download, "open", opened, raising=False)
    with pytest.raises(FetchError, match="^test: the disk is full in .*free some space or choose"):
        get(cache)
    assert good_files(cache) == [] and 0 < kept(cache) <= 200_000
    monkeypatch.undo()
    known("good")
    assert whole(get(cache), cache, content)
    assert server.ranges[0] is None and server.ranges[1] is not None  # what fitted is not lost


def test_disk_that_is_too_small(server, known, cache, monkeypatch):
    entry = known("good")
    monkeypatch.setitem(_download.REGISTRY, "test", replace(entry, size=10**18))
    with pytest.raises(FetchError, match="disk is full .* GB free, about 1000000000.0 GB needed"):
        get(cache)
    assert server.asked == [] and good_files(cache) == []


def test_folder_that_cannot_be_written(server, known, cache, tmp_path, monkeypatch):
    known("good")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FetchError, match="^test: cannot write in .*file.*; change its perm"):
            get(folder)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        FetchError, match=r"cannot write in .*cache \(Permission denied\); .*cache="
    ):
        get(cache)
    assert server.asked == [] and good_files(cache) == []


def test_a_failed_move_leaves_nothing(server, known, cache, content, monkeypatch):
    known("good")

    def refuse(*args):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(FetchError, match="cannot write in .*Input/output error"):
            get(cache)
        assert good_files(cache) == []
    assert whole(get(cache), cache, content)


# --- consent -------------------------------------------------------------------------------------


class Terminal:
    def __init__(self, is_one):
        self.is_one = is_one

    def isatty(self):
        return self.is_one


@pytest.mark.parametrize("answer", ["y", " YES ", "n", "", "maybe", None])
def test_size_and_licence_are_shown_and_a_yes_is_asked(
    answer, server, known, cache, capsys, monkeypatch
):
    known("good")
    shown = []

    def reply(question):
        shown.append(capsys.readouterr().err + question)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr(sys, "stdin", Terminal(True))
    monkeypatch.setattr("builtins.input", reply)
    if answer in ("y", " YES "):
        assert get(cache, confirm=None).exists()
        assert get(cache, confirm=None).exists() and len(shown) == 1  # asked once
    else:
        with pytest.raises(FetchError, match="^test: not confirmed, nothing was downloaded"):
            get(cache, confirm=None)
        assert server.asked == [] and not cache.exists()
    for words in (
        "noise",
        "about 0 MB",
        str(cache),
        "Licence: CC0",
        "Nobody 2026",
        "Opens with load",
    ):
        assert words in shown[0]
    assert shown[0].endswith("Download it? [y/N] ")


def test_scripts_have_to_say_so(server, known, cache, monkeypatch):
    known("good")
    for stdin in (Terminal(False), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(FetchError, match="Licence: CC0.* Nobody can be asked .*confirm=True"):
            get(cache, confirm=None)
    with pytest.raises(FetchError, match="not confirmed"):
        get(cache, confirm=False)
    heard = []
    with pytest.raises(FetchError, match="not confirmed"):
        get(cache, confirm=heard.append)  # answers None
    assert "Licence: CC0" in heard[0]
    assert server.asked == [] and not cache.exists()
    assert get(cache, confirm=lambda text: "CC0" in text).exists()


def test_a_notebook_asks_in_a_box(cache):
    """A kernel whose frontend can ask gets the question; one that runs unattended, an error."""
    manager, client = jupyter_client.manager.start_new_kernel(
        env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:

        def fetched(answer):
            asked, printed = [], []

            def reply(message):
                asked.append(message["content"]["prompt"])
                client.input(answer)

            def keep(message):
                printed.append(message["content"].get("text", ""))

            code = f"""
from critlib.recordings import FetchError, fetch
try:
    fetch("stringer_spontaneous", cache={str(cache)!r})
except FetchError as error:
    print(error)
"""
            client.execute_interactive(
                code, allow_stdin=answer is not None, stdin_hook=reply, output_hook=keep, timeout=60
            )
            return asked, "".join(printed)

        asked, printed = fetched("n")
        assert asked == ["Download it? [y/N] "]
        assert "about 790 MB" in printed and "not confirmed, nothing was downloaded" in printed
        asked, printed = fetched(None)
        assert asked == [] and "Nobody can be asked here: pass confirm=True" in printed
        assert not cache.exists()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# --- killed --------------------------------------------------------------------------------------

PROGRAM = """
import json, sys
from critlib import _download
from critlib.recordings import fetch
_download.REGISTRY["test"] = _download.Entry(**json.loads(sys.argv[1]))
print(fetch("test", confirm=True, cache=sys.argv[2]))
"""


def in_a_process(entry, cache):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(vars(entry)), str(cache)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_killed_in_the_middle_and_continued(server, known, cache, content):
    process = in_a_process(known("stall"), cache)
    until(lambda: kept(cache) > 100_000 or process.poll() is not None)
    # meanwhile nobody else writes to the same file
    with pytest.raises(FetchError, match="another process is fetching it .*; wait for it"):
        get(cache)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    have = kept(cache)
    assert good_files(cache) == [] and 100_000 < have <= 200_000

    process = in_a_process(known("stall"), cache)  # a new process, a day later
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert Path(out.strip()).read_bytes() == content
    assert server.ranges == [None, f"bytes={have}-"]
    assert good_files(cache) == ["test.npy"] and kept(cache) == 0


# --- names and the registry ----------------------------------------------------------------------


def test_unknown_names(tmp_path):
    with pytest.raises(
        FetchError, match="^name is 'stringer_spontaneus': .*did you mean 'stringer_"
    ):
        fetch("stringer_spontaneus", cache=tmp_path)
    with pytest.raises(ValueError, match="^name is 'x': choose one of") as caught:
        fetch("x", cache=tmp_path)
    assert all(repr(name) in str(caught.value) for name in _download.REGISTRY)
    assert "mean" not in str(caught.value) and isinstance(caught.value, OSError)


@pytest.mark.parametrize("name", _download.REGISTRY)
def test_every_entry_is_complete(name):
    entry = _download.REGISTRY[name]
    assert entry.addresses
    assert all(re.fullmatch(r"https://[\w.]+/\S+", address) for address in entry.addresses)
    algorithm, digest = entry.hash.split(":")
    assert re.fullmatch(r"[0-9a-f]+", digest)
    assert len(digest) == {"sha256": 64, "md5": 32}[algorithm]
    assert entry.size is None or entry.size > 10**8
    assert entry.licence == "CC BY-NC" or entry.licence == "not stated; ask the authors"
    assert "doi" in entry.citation and entry.about and "load_recording(path" in entry.to_open
    assert Path(entry.file).name == entry.file and entry.file.endswith((".npy", ".npz", ".nwb"))
    assert name in fetch.__doc__


def test_sizes_in_words():
    registry = _download.REGISTRY
    words = {name: entry.size_in_words for name, entry in registry.items()}
    assert words == {
        "stringer_spontaneous": "about 790 MB",
        "facemap_small": "about 12.2 GB",
        "facemap_large": "about 31.8 GB",
        "hc11_achilles": "size not stated",
    }


def test_hashes_and_addresses_are_those_of_the_authors():
    facts = {
        "stringer_spontaneous": (
            "https://osf.io/dpqaj/download",
            "sha256:b92f153a965a6a25153c125ac88245f887f310b50285dc5af11f0b544ac3ba32",
        ),
        "facemap_small": (
            "https://ndownloader.figshare.com/files/52543184",
            "md5:e00e27ee51ddab472df49a1a6d33ded7",
        ),
        "facemap_large": (
            "https://ndownloader.figshare.com/files/52543310",
            "md5:2ae0287ee34267aa7e2dd198a839f215",
        ),
        "hc11_achilles": (
            "https://osf.io/download/hu5ma/",
            "sha256:42857015aad4c2f7f6f3d4022611a69bc86d714cf465183ce30955731e614990",
        ),
    }
    registry = _download.REGISTRY
    assert {name: (e.addresses[0], e.hash) for name, e in registry.items()} == facts
    assert len({entry.file for entry in registry.values()}) == len(registry)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": 3}, TypeError, "^name is 3: pass a str"),
        ({"confirm": "yes"}, TypeError, "^confirm is 'yes': pass True or False"),
        ({"cache": 3}, TypeError, "^cache is 3: pass a folder"),
        ({"timeout": 0}, ValueError, "^timeout is 0: it must be greater than 0"),
        ({"timeout": None}, TypeError, "^timeout is None"),
    ],
)
def test_bad_arguments(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        fetch(**{"name": "stringer_spontaneous", "cache": tmp_path} | arguments)


def test_what_has_another_hash_is_not_kept(server, known, cache):
    # however well it would open
    known("good", hash="sha256:" + "0" * 64)
    with pytest.raises(FetchError, match="wrong hash"):
        get(cache)
    assert good_files(cache) == [] and kept(cache) == 0
