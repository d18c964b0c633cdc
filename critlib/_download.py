"""Public recordings: where they are, and bringing one into the cache whole or not at all.

The place under its final name is taken only by a file that has passed its hash, in one step
(`os.replace`). What arrives is collected in a folder of its own, ``partial``, where an interrupted
download is continued the next time. Pooch keeps the registry and the folder; its own download
starts from the beginning each time and leaves its temporary file behind when it is killed.
"""

import contextlib
import difflib
import errno
import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

try:
    import fcntl
except ImportError:  # Windows: two downloads of the same file at once are not kept apart
    fcntl = None

_NOT_STATED = "not stated; ask the authors"
_FACEMAP = (
    "Syeda et al. 2024, Nature Neuroscience 27, 187, doi 10.1038/s41593-023-01490-6; data: doi "
    "10.25378/janelia.23712957"
)


class FetchError(OSError, ValueError):
    """A public recording could not be brought here; the message says why and what to do."""


@dataclass(frozen=True)
class Entry:
    """A file that `fetch` knows."""

    file: str
    addresses: tuple  # tried in this order
    hash: str  # algorithm:digest
    size: int | None  # bytes, rounded; None where nobody has said
    licence: str
    citation: str
    about: str
    to_open: str

    @property
    def size_in_words(self):
        """Its size for people."""
        if self.size is None:
            return "size not stated"
        giga = self.size >= 1e9
        return f"about {self.size / 1e9:.1f} GB" if giga else f"about {self.size / 1e6:.0f} MB"


def _figshare(number):
    return (
        f"https://ndownloader.figshare.com/files/{number}",
        f"https://api.figshare.com/v2/file/download/{number}",
    )


REGISTRY = {
    "stringer_spontaneous": Entry(
        "stringer_spontaneous.npy",
        ("https://osf.io/dpqaj/download",),
        "sha256:b92f153a965a6a25153c125ac88245f887f310b50285dc5af11f0b544ac3ba32",
        790_000_000,
        _NOT_STATED,
        "Stringer et al. 2019, Science 364, eaav7893, doi 10.1126/science.aav7893",
        "mouse V1, two-photon, spontaneous: 11,983 neurons, 7,018 bins of 1.2 s",
        "load_recording(path, dt=1.2)",
    ),
    "facemap_small": Entry(
        "facemap_small.npz",
        _figshare(52543184),
        "md5:e00e27ee51ddab472df49a1a6d33ded7",
        12_200_000_000,
        "CC BY-NC",
        _FACEMAP,
        "mouse cortex, two-photon, with running and face videos",
        "load_recording(path, dt=...), in as much memory; its key tneural holds the times",
    ),
    "facemap_large": Entry(
        "facemap_large.npz",
        _figshare(52543310),
        "md5:2ae0287ee34267aa7e2dd198a839f215",
        31_800_000_000,
        "CC BY-NC",
        _FACEMAP,
        "mouse cortex, two-photon, with running and face videos",
        "load_recording(path, dt=...), in as much memory; its key tneural holds the times",
    ),
    "hc11_achilles": Entry(
        "Achilles_10252013.nwb",
        ("https://osf.io/download/hu5ma/",),
        "sha256:42857015aad4c2f7f6f3d4022611a69bc86d714cf465183ce30955731e614990",
        None,
        _NOT_STATED,
        "Grosmark, Long & Buzsaki 2016, CRCNS hc-11, doi 10.6080/K0862DC5",
        "rat CA1, silicon probes, on a linear track",
        'load_recording(path, series="units", dt=0.046), with pip install "critlib[nwb]"',
    ),
}

_STATUS = {
    202: "answered with an empty 202 (it is still preparing the file, or turns scripts away)",
    403: "refuses this download (403); some servers turn scripts away",
    404: "does not have the file any more (404)",
    429: "has had too many requests (429; OSF allows 100 an hour): wait an hour",
}


class _Failed(Exception):
    """One address did not give the file."""


def fetch(name, confirm, cache, timeout):
    """Do what `critlib.recordings.fetch` says."""
    import pooch

    if name not in REGISTRY:
        close = difflib.get_close_matches(name, REGISTRY, n=1)
        raise FetchError(
            f"name is {name!r}: choose one of {', '.join(map(repr, REGISTRY))}"
            + (f"; did you mean {close[0]!r}?" if close else "")
        )
    entry = REGISTRY[name]
    keeper = pooch.create(
        path=pooch.os_cache("critlib") if cache is None else cache,
        base_url="",
        env="CRITLIB_CACHE" if cache is None else None,
        registry={entry.file: entry.hash},
        urls={entry.file: entry.addresses[0]},
    )
    final = Path(keeper.abspath) / entry.file
    partial = final.parent / "partial" / entry.file
    try:
        if final.exists():
            if _verified(final, keeper.registry[entry.file]):
                return final
            print(f"{final}: is damaged (wrong hash), fetched again", file=sys.stderr)
            final.unlink()
        _confirm(name, entry, confirm, final.parent)
        partial.parent.mkdir(parents=True, exist_ok=True)
        free, missing = shutil.disk_usage(partial.parent).free, entry.size or 0
        if free < missing - (partial.stat().st_size if partial.exists() else 0):
            raise OSError(errno.ENOSPC, f"{free / 1e9:.1f} GB free, {entry.size_in_words} needed")
        with _alone(name, partial):
            return _download(name, entry, partial, final, timeout)
    except FetchError:
        raise
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise FetchError(
            f"{name}: {'the disk is full' if full else 'cannot write'} in {final.parent} "
            f"({error.strerror or error}); "
            + ("free some space" if full else "change its permissions")
            + " or choose another folder with cache=... or the variable CRITLIB_CACHE, then fetch "
            "again"
        ) from None


def _confirm(name, entry, confirm, folder):
    text = (
        f"{name}: {entry.about}; {entry.size_in_words}, to {folder}. "
        f"Licence: {entry.licence}. Please cite {entry.citation}. Opens with {entry.to_open}."
    )
    if callable(confirm):
        agreed = confirm(text)
    elif confirm is not None:
        agreed = confirm
    elif _can_ask():
        print(text, file=sys.stderr)
        try:
            agreed = input("Download it? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            agreed = False
    else:
        raise FetchError(f"{text} Nobody can be asked here: pass confirm=True to download it")
    if not agreed:
        raise FetchError(f"{name}: not confirmed, nothing was downloaded; say yes or confirm=True")


def _can_ask():
    """On a terminal, and in a notebook that shows a box where `input` waits."""
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


@contextlib.contextmanager
def _alone(name, partial):
    """Keep a second process from writing to the same file; a killed one lets go."""
    with open(partial.with_name(partial.name + ".lock"), "w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError(
                    f"{name}: another process is fetching it into {partial.parent}; wait for it, "
                    "then fetch again"
                ) from None
        yield


def _download(name, entry, partial, final, timeout):
    failures = []
    for address in entry.addresses:
        continued = True
        while continued:  # what was continued and is wrong gets a second chance from its beginning
            try:
                continued = _transfer(entry, address, partial, timeout)
            except _Failed as failed:
                failures.append(f"{address} {failed}")
                break
            if _verified(partial, entry.hash):
                os.replace(partial, final)
                return final
            partial.unlink()
            if not continued:
                failures.append(f"{address} gave another file than the registered one (wrong hash)")
    raise FetchError(
        f"{name}: {'; '.join(failures)}. Fetch again later, or open the address in a browser, "
        f"save the file as {final} and fetch again: it is checked there"
    )


def _transfer(entry, address, partial, timeout):
    """Write what `address` gives to `partial`; return whether it continued what was there."""
    import requests

    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "critlib", "Accept-Encoding": "identity"}
    if have:
        # no If-Range: the hash pins the content, so what has changed cannot pass anyway
        headers["Range"] = f"bytes={have}-"
    got, length = 0, None
    try:
        with requests.get(address, headers=headers, stream=True, timeout=timeout) as answer:
            status, kind = answer.status_code, answer.headers.get("Content-Type", "")
            if have and status == 416:  # nothing follows what is there: it may be complete
                return True
            span = answer.headers.get("Content-Range", "")
            continued = have > 0 and status == 206 and span.startswith(f"bytes {have}-")
            if status != 200 and not continued:
                what = _STATUS.get(status, f"answered with status {status}")
                raise _Failed(what + (", its own trouble: try later" if status >= 500 else ""))
            if kind.startswith("text/html"):
                raise _Failed("gave a web page instead of the file")
            length = _length(answer.headers)
            start = have if continued else 0
            whole = start + length if length is not None else entry.size
            with open(partial, "ab" if continued else "wb") as file, _bar(entry, whole) as bar:
                bar.update(start)
                for chunk in answer.iter_content(2**16):
                    if start + got == 0 and chunk.lstrip()[:1] == b"<":
                        raise _Failed("gave a web page instead of the file")
                    file.write(chunk)
                    got += len(chunk)
                    bar.update(len(chunk))
    except requests.exceptions.RequestException as error:
        raise _Failed(_what_broke(error, got, length)) from None
    if got == 0 and not continued:
        raise _Failed("gave an empty file")
    return continued


def _length(headers):
    stated = headers.get("Content-Length", "")
    return int(stated) if stated.isdigit() and "Content-Encoding" not in headers else None


def _what_broke(error, got, length):
    import requests

    if got:
        of = f" of {length}" if length else ""
        return f"broke off after {got}{of} bytes, which are kept: fetch again to continue"
    reason = " ".join(str(error).split())[-160:]
    if isinstance(error, requests.exceptions.SSLError):
        return f"cannot be trusted: its certificate does not hold ({reason})"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in reason:
        return "did not answer in time"
    return f"cannot be reached: are you online? ({reason})"


def _bar(entry, total):
    return tqdm(total=total, unit="B", unit_scale=True, desc=entry.file, mininterval=0.5)


def _verified(path, known):
    """Whether the content of `path` has the hash `known`."""
    algorithm, digest = known.split(":")
    found = hashlib.new(algorithm, usedforsecurity=False)
    total = path.stat().st_size
    bar = tqdm(total=total, unit="B", unit_scale=True, desc=f"checking {path.name}", delay=1)
    with open(path, "rb") as file, bar:
        while block := file.read(2**22):
            found.update(block)
            bar.update(len(block))
    return found.hexdigest() == digest
