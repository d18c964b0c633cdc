"""Build the book, warnings being errors, and say how far it is.

Chapters run only if their code, critlib, the data or the installed packages changed; pages are
always written afresh, because Sphinx forgets the warnings of a page that it does not write again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"
LOG = BUILD / "build.log"
# Each holds a fingerprint of what it was made from; written only when that succeeded.
DONE = HTML / ".complete"
RAN_WITH = BUILD / ".ran_with"
# A progress bar inside a chapter would become part of its output. One thread for linear algebra
# costs little here; two are many times slower on a machine that does something else as well.
QUIET = {"TQDM_DISABLE": "1", "OPENBLAS_NUM_THREADS": "1"}
SKIPPED = {"_paired", "__pycache__", ".ipynb_checkpoints"}


def fingerprint(*parts, more=""):
    """Digest of files and folders, by name and content."""
    digest = hashlib.sha256(more.encode())
    for part in parts:
        paths = sorted((ROOT / part).rglob("*")) if (ROOT / part).is_dir() else [ROOT / part]
        for path in paths:
            if path.is_file() and not SKIPPED.intersection(path.relative_to(ROOT).parts):
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build():
    """Run Jupyter Book and show which chapter it runs; return its exit status."""
    call = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", call, "build", ".", "-W", "--keep-going"]
    env = {**os.environ, **QUIET, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    start = time.monotonic()
    with LOG.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        for line in process.stdout:
            log.write(line)
            line = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip())
            clock = f"[{time.monotonic() - start:4.0f} s]"
            name = re.search(r"([\w-]+)\.(?:ipynb|md): (Executing|Executed|Using cached)", line)
            if name and name[2] == "Executing":
                print(f"{clock} running {name[1]} ...", flush=True)
            elif name and name[2] == "Executed":
                print(f"{clock} running {name[1]} took {line.split(' in ')[-1][:-9]}", flush=True)
            elif line.startswith("pickling environment"):
                print(f"{clock} writing pages ...", flush=True)
            elif re.search(r"WARNING:|ERROR:|CRITICAL:|Error\b|^Traceback", line):
                print(line, flush=True)
        return process.wait()


def main():
    """Build what is not up to date."""
    installed = sorted(f"{d.metadata['Name']} {d.version}" for d in distributions())
    code = fingerprint("critlib", "data", more=f"{sys.version} {installed}")
    everything = fingerprint(
        "_config.yml", "_toc.yml", "book", "tools/build.py", "pyproject.toml", more=code
    )
    if DONE.exists() and DONE.read_text() == everything:
        print("The book is up to date.")
    else:
        # Results of chapters are kept only while the code and data behind them are the same.
        if BUILD.exists() and not (RAN_WITH.exists() and RAN_WITH.read_text() == code):
            shutil.rmtree(BUILD)
        for old in (HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"):
            shutil.rmtree(old, ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        RAN_WITH.write_text(code)
        print("Building the book; every chapter whose code changed is run.", flush=True)
        status = build()
        if status != 0:
            print("".join(LOG.read_text(encoding="utf-8").splitlines(keepends=True)[-15:]))
            print(f"The book was not built. The whole story is in {LOG.relative_to(ROOT)}.")
            return status
        DONE.write_text(everything)
    print(f"\nThe book is in {HTML.relative_to(ROOT)}/index.html")
    print("Look at it with `make serve`, which shows it on http://127.0.0.1:8000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
