"""Run the notebooks and store their text outputs, without pictures.

    python tools/refresh.py                         every notebook of the book
    python tools/refresh.py book/01_name.ipynb      only this one (it may not exist yet)
    python tools/refresh.py --tidy [NOTEBOOK ...]   clean the files, run nothing
    python tools/refresh.py --pair [NOTEBOOK ...]   write the text twins, run nothing

Each notebook ``book/NAME.ipynb`` may have a local text twin ``book/_paired/NAME.md`` (jupytext,
MyST flavour), which git ignores. Whichever of the two was changed last is the source; the other
one follows. CONTRIBUTING.md says how to work with them.
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

import jupytext
import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
SETUP_TAG = "colab-setup"

# The version of the Python that ran a notebook is of no use to a reader and changes every diff.
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"}
# Explorers and quizzes carry their pictures in HTML: one line stands for them.
FRAGMENT = "<!-- critlib fragment -->"
# What an output may keep. Pictures are made again by each build of the book.
KEPT_TYPES = ("text/plain", "text/html", "text/latex", "text/markdown", "application/json")


def paired(notebook):
    """Text twin of a notebook."""
    return notebook.parent / "_paired" / f"{notebook.stem}.md"


def all_notebooks():
    """Notebooks of the book, and those that exist only as a text twin so far."""
    twins = [BOOK / f"{p.stem}.ipynb" for p in (BOOK / "_paired").glob("*.md")]
    found = {p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts}
    return sorted(found | set(twins))


def repository_url():
    """Address of the repository in _config.yml, or an empty string while it is not set."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return ((config.get("repository") or {}).get("url") or "").rstrip("/")


def setup_cell(url):
    """First cell of a notebook: brings critlib and data/ to Colab, does nothing elsewhere."""
    source = (
        "# On Google Colab only: fetch the course, so that critlib and its data are there.\n"
        "import os\n"
        "import sys\n"
        "\n"
        'if "google.colab" in sys.modules and not os.path.exists("/content/course"):\n'
        f"    get_ipython().system('git clone --quiet --depth 1 {url} /content/course')\n"
        "    get_ipython().system('pip install --quiet /content/course')\n"
        '    os.chdir("/content/course/book")'
    )
    return nbformat.v4.new_code_cell(source, metadata={"tags": [SETUP_TAG, "remove-cell"]})


def tags(cell):
    """Tags of a cell."""
    return cell.metadata.get("tags", [])


def read(notebook):
    """Read a notebook from whichever of its two forms was changed last."""
    twin = paired(notebook)
    if twin.exists() and (not notebook.exists() or twin.stat().st_mtime > notebook.stat().st_mtime):
        return jupytext.read(twin, fmt="md:myst"), twin
    if not notebook.exists():
        sys.exit(f"{notebook} does not exist, and neither does {twin}: write one of them first.")
    return nbformat.read(notebook, as_version=4), notebook


def tidy(nb, url):
    """Make a notebook fit to be stored: no pictures, no widget state, nothing that varies."""
    nb.cells = [cell for cell in nb.cells if SETUP_TAG not in tags(cell)]
    if url:
        nb.cells.insert(0, setup_cell(url))
    nb.nbformat, nb.nbformat_minor = 4, 5
    nb.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO})
    seen = {}
    count = 0
    for cell in nb.cells:
        # An id that follows from the text: a cell that nobody touched looks the same in a diff.
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        for key in ("execution", "collapsed", "scrolled", "trusted"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            if cell.source.strip():
                count += 1
            cell.execution_count = count if cell.source.strip() else None
            kept = [tidy_output(out, count) for out in cell.outputs]
            cell.outputs = merge_streams([out for out in kept if out is not None])
    return nb


def merge_streams(outputs):
    """Join what was printed in one go: where it is cut depends on how busy the machine was."""
    merged = []
    for out in outputs:
        last = merged[-1] if merged else None
        if last and out.output_type == last.output_type == "stream" and out.name == last.name:
            last.text += out.text
        else:
            merged.append(out)
    return merged


def tidy_output(out, count):
    """Keep the text of an output; return None where nothing is left."""
    if out.output_type in ("display_data", "execute_result"):
        out.data = {k: v for k, v in out.data.items() if k in KEPT_TYPES}
        if FRAGMENT in out.data.get("text/html", ""):
            out.data["text/html"] = FRAGMENT + "<p>Run this cell to see it.</p>"
        out.metadata = {}
        if not out.data:
            return None
    if out.output_type == "execute_result":
        out.execution_count = count
    return out


def run(nb, notebook):
    """Execute a notebook where it stands, saying on one line how far it is."""
    cells = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    start = time.monotonic()
    live = sys.stdout.isatty()

    def show(cell, cell_index):
        if live and cell_index in cells:
            done = cells.index(cell_index) + 1
            seconds = time.monotonic() - start
            print(f"\r{notebook.stem}: cell {done}/{len(cells)}, {seconds:.0f} s ", end="")
            sys.stdout.flush()

    client = NotebookClient(
        nb,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_start=show,
        store_widget_state=False,
        record_timing=False,
    )
    client.execute()
    end = "\r" if live else ""
    print(f"{end}{notebook.stem}: {len(cells)} code cells, {time.monotonic() - start:.1f} s")


def write(path, text):
    """Write a file in one step, so that an interruption leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_twin(notebook, nb):
    """Write the text twin; if that throws words away, leave them in a file beside it."""
    twin = paired(notebook)
    shown = nbformat.from_dict(nb)
    shown.cells = [cell for cell in shown.cells if SETUP_TAG not in tags(cell)]
    text = jupytext.writes(shown, fmt="md:myst")
    if twin.exists() and twin.read_text(encoding="utf-8") != text:
        old = twin.with_suffix(".md.old")
        twin.replace(old)
        print(f"  {twin.name} follows {notebook.name}; what it said before is in {old.name}")
    write(twin, text)


def refresh(notebook, *, execute, url):
    """Bring one notebook and its text twin up to date."""
    nb, source = read(notebook)
    if execute:
        try:
            run(nb, notebook)
        except CellExecutionError as error:
            print(f"\n{source} stopped, nothing was stored.\n{error}", file=sys.stderr)
            return False
    nb = tidy(nb, url)
    twin = paired(notebook)
    if twin.exists() and source == notebook:
        write_twin(notebook, nb)
    text = nbformat.writes(nb) + "\n"
    nbformat.validate(nb)
    if not notebook.exists() or notebook.read_text(encoding="utf-8") != text:
        write(notebook, text)
    elif source == twin:
        notebook.touch()  # so that it counts as the newer one
    return True


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of the book")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tidy", action="store_true", help="clean the files without running them")
    what.add_argument("--pair", action="store_true", help="write the text twins, run nothing")
    args = parser.parse_args()
    notebooks = [p.resolve() for p in args.notebooks] or all_notebooks()
    # Given a twin, take the notebook that belongs to it.
    notebooks = [
        p.parent.parent / f"{p.stem}.ipynb" if p.parent.name == "_paired" else p for p in notebooks
    ]
    if args.pair:
        for notebook in notebooks:
            if notebook.exists():
                nb, source = read(notebook)
                if source == notebook:
                    write_twin(notebook, nb)
                    notebook.touch()  # the two agree: neither is ahead
                print(paired(notebook).relative_to(ROOT))
        return 0
    os.environ |= {"TQDM_DISABLE": "1", "OPENBLAS_NUM_THREADS": "1"}  # as in tools/build.py
    url = repository_url()
    good = [refresh(p, execute=not args.tidy, url=url) for p in notebooks]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
