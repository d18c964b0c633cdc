"""What several test files share."""

import http.server
import os
import shutil
import threading
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("agg")
os.environ["TQDM_DISABLE"] = "1"

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"

# Chromium by itself asks other hosts for updates and the like; here only the pages may ask.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_generate_tests(metafunc):
    """Give tests that ask for a page every page of the built book."""
    if "page_path" in metafunc.fixturenames:
        pages = sorted(
            str(path.relative_to(HTML))
            for path in HTML.rglob("*.html")
            if "_static" not in path.parts and path != HTML / "index.html"
        )
        metafunc.parametrize("page_path", pages or ["index.html"])


@pytest.fixture(scope="session")
def built():
    """Folder of the built book."""
    if not (HTML / ".complete").exists():
        pytest.fail("The book is not built: run `make book` first.")
    return HTML


@pytest.fixture(scope="session")
def site(built):
    """Address of the built book, served on this machine only."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(built))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, where there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(
            "no Chromium: on Debian or Ubuntu `apt-get install chromium`, elsewhere "
            "CHROMIUM=/path/to/chrome"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
