"""The book itself: chapters are complete, links lead somewhere, pages work for everyone.

Tests marked ``book`` look at the built book (``make book``); some open it in headless Chromium.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote, urljoin, urlparse

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT

BOOK = ROOT / "book"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))
HEADINGS = ("Check yourself", "Exercises", "What the paper found", "Take-aways", "Further reading")
book = pytest.mark.book

spec = importlib.util.spec_from_file_location("refresh", ROOT / "tools" / "refresh.py")
refresh = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refresh)


def toc_files(entry):
    """Every file that the table of contents names."""
    if isinstance(entry, list):
        return [name for item in entry for name in toc_files(item)]
    own = [entry[key] for key in ("root", "file") if key in entry]
    nested = [toc_files(entry.get(key, [])) for key in ("parts", "chapters", "sections")]
    return own + [name for names in nested for name in names]


TOC = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))


# --- chapters ---------------------------------------------------------------------------------


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def text_of(nb):
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("name", TOC)
def test_every_entry_of_the_table_of_contents_exists(name):
    assert any((ROOT / f"{name}{end}").exists() for end in (".md", ".ipynb"))


def test_every_chapter_is_in_the_table_of_contents():
    listed = [name for name in TOC if re.match(r"book/\d\d_", name)]
    assert listed == [f"book/{path.stem}" for path in CHAPTERS]


def test_chapter_says_what_it_is_for(chapter):
    text = text_of(chapter)
    assert text.lstrip().startswith("# ")
    assert "What you will be able to do" in text
    assert re.search(r"\d+ minutes", text)


def test_chapter_has_its_parts_in_order(chapter):
    headings = re.findall(r"^## (.+)$", text_of(chapter), flags=re.MULTILINE)
    assert [heading for heading in headings if heading in HEADINGS] == list(HEADINGS)


def test_chapter_has_an_explorer_and_a_quiz(chapter):
    outputs = [
        output.data.get("text/plain", "")
        for cell in code_cells(chapter)
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result")
    ]
    assert any(text.startswith("<explorer") for text in outputs)
    assert any(text.startswith("<quiz") for text in outputs)


def test_every_exercise_has_a_worked_solution(chapter):
    text = text_of(chapter)
    labels = re.findall(r"\{exercise(?:-start)?\}.*\n(?:.*\n)*?:label: *(\S+)", text)
    assert len(labels) >= 4
    assert len(set(labels)) == len(labels)
    # Walk through the cells: what stands between the start and the end of each solution?
    worked, current = {}, None
    for cell in chapter.cells:
        if cell.cell_type == "code":
            if current is not None:
                worked[current].append(cell)
            continue
        for directive, label in re.findall(r"\{solution-(start|end)\} *(\S*)", cell.source):
            current = label if directive == "start" else None
            if current is not None:
                worked[current] = []
    assert sorted(worked) == sorted(labels)
    assert current is None, f"solution to {current} does not end"
    idle = [label for label, cells in worked.items() if not any(c.execution_count for c in cells)]
    assert not idle, f"solutions without code that was run: {idle}"


def test_chapter_is_stored_as_it_ran_without_pictures(chapter):
    for cell in code_cells(chapter):
        assert cell.execution_count or not cell.source.strip(), f"was not run:\n{cell.source}"
        assert not {"nbval-skip", "raises-exception", "nbval-raises-exception"} & set(
            cell.metadata.get("tags", [])
        )
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert not (output.output_type == "stream" and output.name == "stderr"), cell.source
    tidy = refresh.tidy(nbformat.from_dict(chapter), refresh.repository_url())
    assert tidy == chapter, "run `make refresh`"


def test_every_figure_has_alternative_text_and_caption(chapter):
    for cell in code_cells(chapter):
        figures = [
            output
            for output in cell.outputs
            if re.match(r"<Figure size", output.get("data", {}).get("text/plain", ""))
        ]
        assert len(figures) <= 1, f"more than one figure:\n{cell.source}"
        if figures:
            options = cell.metadata.get("mystnb", {})
            alt = options.get("image", {}).get("alt", "")
            assert len(alt.split()) >= 5, f"no alternative text:\n{cell.source}"
            assert options.get("figure", {}).get("caption"), f"no caption:\n{cell.source}"


def test_headings_go_down_one_level_at_a_time(chapter):
    prose = re.sub(r"^(`{3,}|:{3,}).*?^\1", "", text_of(chapter), flags=re.DOTALL | re.MULTILINE)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


# --- refreshing notebooks ---------------------------------------------------------------------


def notebook_with(*outputs):
    cell = nbformat.v4.new_code_cell("1 + 1", outputs=list(outputs), execution_count=7)
    cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})


def test_tidying_drops_pictures_and_keeps_text():
    new = nbformat.v4.new_output
    picture = {"image/png": "aGk=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
    nb = notebook_with(
        new("display_data", picture),
        new("display_data", {"image/png": "aGk="}),
        new("display_data", {"text/html": refresh.FRAGMENT + "<img>", "text/plain": "<quiz of 1>"}),
        new("stream", name="stdout", text="2"),
        new("stream", name="stdout", text="\n"),
        new("execute_result", {"text/plain": "2"}, execution_count=7),
    )
    (cell,) = refresh.tidy(nb, "").cells
    assert [output.output_type for output in cell.outputs] == [
        "display_data",
        "display_data",
        "stream",
        "execute_result",
    ]
    assert cell.outputs[0].data == {"text/plain": "<Figure size 640x480 with 1 Axes>"}
    assert "<img>" not in cell.outputs[1].data["text/html"]
    assert cell.outputs[2].text == "2\n"
    assert cell.execution_count == cell.outputs[3].execution_count == 1
    assert "execution" not in cell.metadata and "widgets" not in nb.metadata
    nbformat.validate(nb)


def test_the_mark_of_fragments_is_the_same_everywhere():
    from critlib import explorers

    assert refresh.FRAGMENT == explorers.MARK
    assert refresh.FRAGMENT in (ROOT / "tests" / "nbval.cfg").read_text(encoding="utf-8")


def test_tidying_is_finished_after_one_round():
    nb = refresh.tidy(notebook_with(), "https://github.com/someone/course")
    again = refresh.tidy(nbformat.from_dict(nb), "https://github.com/someone/course")
    assert nb == again
    assert "git clone --quiet --depth 1 https://github.com/someone/course" in nb.cells[0].source
    assert refresh.tidy(again, "").cells == refresh.tidy(notebook_with(), "").cells


def test_the_setup_cell_does_nothing_outside_colab():
    exec(refresh.setup_cell("https://github.com/someone/course").source, {})


# --- the built pages --------------------------------------------------------------------------


@pytest.fixture
def soup(built, page_path):
    return BeautifulSoup((built / page_path).read_text(encoding="utf-8"), "html.parser")


@book
def test_every_link_inside_the_book_leads_somewhere(built, page_path, soup):
    for tag in soup.find_all(["a", "link"], href=True):
        target = urlparse(urljoin(f"/{page_path}", tag["href"]))
        if target.scheme or target.netloc:
            continue
        path = built / unquote(target.path).lstrip("/")
        assert path.exists(), f"{page_path} links to {tag['href']}, which does not exist"
        if target.fragment and path.suffix == ".html" and tag.name == "a":
            there = path.read_text(encoding="utf-8")
            name = re.escape(unquote(target.fragment))
            assert re.search(rf'\b(?:id|name)="{name}"', there), f"{tag['href']}: no such anchor"


@book
def test_a_page_fetches_nothing_from_another_host(soup):
    for tag in soup.find_all(["script", "img", "iframe", "video", "audio", "source", "embed"]):
        assert not re.match(r"(https?:)?//", tag.get("src", "")), tag
    for tag in soup.find_all("link", href=True):
        passive = {"canonical", "license", "author", "alternate"} & set(tag.get("rel", []))
        assert passive or not re.match(r"(https?:)?//", tag["href"]), tag


@book
def test_every_picture_has_alternative_text(soup):
    for img in soup("img"):
        assert img.get("alt", "").strip(), f"no alternative text: {str(img)[:200]}"


@book
def test_style_sheets_fetch_nothing_from_another_host(built):
    for sheet in built.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), sheet


@book
def test_pages_have_launch_buttons_only_if_the_repository_is_known(soup):
    links = " ".join(tag["href"] for tag in soup.find_all("a", href=True))
    if not refresh.repository_url():
        assert "mybinder.org" not in links and "colab" not in links


@book
@pytest.mark.skipif(not refresh.repository_url(), reason="repository.url is not set")
def test_chapters_have_launch_buttons(built):
    for path in CHAPTERS:
        page = (built / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "https://mybinder.org/v2/gh/" in page and "https://colab.research" in page


@book
def test_one_line_brings_all_launch_buttons(tmp_path):
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    config, changed = re.subn(
        r'^  url: ".*"$', '  url: "https://github.com/someone/course"', config, flags=re.MULTILINE
    )
    assert changed == 1
    config = config.replace("execute_notebooks: cache", 'execute_notebooks: "off"')
    (tmp_path / "_config.yml").write_text(config, encoding="utf-8")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters: [{file: book/01_small}]\n"
    )
    (tmp_path / "book").mkdir()
    for name in ("_ext", "_static"):
        shutil.copytree(BOOK / name, tmp_path / "book" / name)
    shutil.copy(BOOK / "references.bib", tmp_path / "book")
    (tmp_path / "book" / "intro.md").write_text("# Start\n")
    title = nbformat.v4.new_markdown_cell("# Small")
    nb = nbformat.v4.new_notebook(cells=[title, nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(refresh.tidy(nb, ""), tmp_path / "book" / "01_small.ipynb")
    call = "from jupyter_book.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", call, "build", str(tmp_path), "-W", "--keep-going"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "_build/html/book/01_small.html").read_text(encoding="utf-8")
    links = [tag["href"] for tag in BeautifulSoup(page, "html.parser").find_all("a", href=True)]
    binder = "https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/book/01_small.ipynb"
    colab = "https://colab.research.google.com/github/someone/course/blob/main/book/01_small.ipynb"
    assert binder in links and colab in links
    assert "https://github.com/someone/course" in links
    assert any(link.startswith("https://github.com/someone/course/issues/new") for link in links)
    assert '<meta property="og:url" content="https://someone.github.io/course/book/' in page


# --- in a browser -----------------------------------------------------------------------------


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def width(request):
    return request.param


@pytest.fixture
def page(browser, site, page_path, theme, width):
    """An open page that has settled; fails if it complained or asked for what it should not."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    context.add_init_script(
        f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    )
    tab, complaints = context.new_page(), []

    def complain(what):
        return lambda event: complaints.append(f"{what}: {getattr(event, 'url', event)}")

    def on_console(message):
        if message.type in ("error", "warning"):
            complaints.append(f"console {message.type}: {message.text}")

    def on_request(request):
        if not request.url.startswith((site, "data:", "blob:")):
            complaints.append(f"asked another host: {request.url}")

    def on_response(response):
        if response.status >= 400:
            complaints.append(f"answer {response.status}: {response.url}")

    tab.on("console", on_console)
    tab.on("pageerror", complain("error"))
    tab.on("requestfailed", complain("request failed"))
    tab.on("request", on_request)
    tab.on("response", on_response)
    tab.goto(site + page_path, wait_until="load")
    tab.evaluate("window.MathJax?.startup?.promise?.then(() => 0)")
    tab.complaints = complaints
    yield tab
    context.close()


def move_every_slider(tab):
    """Move each slider of each explorer by one step and back, with the keyboard."""
    for box in tab.query_selector_all(".critlib-explorer"):
        for handle in box.query_selector_all("input[type=range]"):

            def look(box=box, handle=handle):
                pictures = [img for img in box.query_selector_all("img") if img.is_visible()]
                assert len(pictures) == 1, "an explorer shows one picture at a time"
                return pictures[0].get_attribute("src"), handle.get_attribute("aria-valuetext")

            there, back = "ArrowRight", "ArrowLeft"
            if handle.input_value() == handle.get_attribute("max"):
                there, back = back, there
            before = look()
            handle.focus()
            tab.keyboard.press(there)
            after = look()
            assert after[0] != before[0], "the slider moved and the picture did not change"
            assert after[1] != before[1], "the slider moved and did not say where it is"
            tab.keyboard.press(back)
            assert look() == before


def answer_every_question(tab):
    """Choose each answer of each quiz; each has to answer back."""
    for box in tab.query_selector_all(".critlib-quiz input"):
        feedback = box.query_selector("xpath=following-sibling::*[@role='status']")
        assert not feedback.is_visible()
        box.check()
        assert feedback.is_visible()


# With its preload, axe would fetch style sheets from wrong addresses.
AXE = {"preload": False, "resultTypes": ["violations"]}


@book
def test_page_works(page, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    assert page.evaluate("document.documentElement.dataset.theme") == theme
    raw = page.evaluate(
        "document.querySelectorAll('mjx-merror').length"
        " + [...document.querySelectorAll('.critlib-quiz, .caption-text')]"
        ".filter(e => e.innerText.includes('\\\\(')).length"
    )
    assert raw == 0, "mathematics that was not typeset"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"the page is {wide} pixels wide"
    move_every_slider(page)
    answer_every_question(page)
    found = Axe().run(page, options=AXE).response["violations"]
    grave = [
        f"{item['id']}: {node['html'][:200]}\n{node['failureSummary']}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
    assert not grave, "\n".join(grave)
    assert not page.complaints, "\n".join(page.complaints)


@book
def test_the_root_leads_to_the_first_page(browser, site):
    tab = browser.new_page()
    tab.goto(site, wait_until="load")
    tab.wait_for_url(site + "book/intro.html")
    tab.close()


def test_no_page_is_left_over():
    """Everything in book/ is in the table of contents or is not a page."""
    pages = {
        str(path.relative_to(ROOT).with_suffix(""))
        for end in ("md", "ipynb")
        for path in BOOK.rglob(f"*.{end}")
        if not any(part.startswith(("_", ".")) for part in path.relative_to(BOOK).parts)
    }
    assert pages == set(TOC)
