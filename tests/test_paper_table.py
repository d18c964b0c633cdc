"""The page that puts the paper's numbers beside ours: it runs here as it does in the book."""

import ast
import contextlib
import dataclasses
import importlib.util
import io
import os
import re

import IPython.display
import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from docutils.nodes import make_id

PAGE = ROOT / "book" / "reference" / "paper.md"
CELLS = [cell.source for cell in jupytext.read(PAGE).cells if cell.cell_type == "code"]

# Every quantitative claim of the paper that this course restates, and what was published.
PUBLISHED = {
    "abscissa": "0.998",
    "formula": "equal",
    "two-thirds": "2/3",
    "measured": "0.69",
    "measured-uniform": "0.69",
    "autocorrelation": "equal",
    "slower": "slope 1",
    "propagator": "equal",
    "longest": "10 s",
    "longest-far": "short elsewhere",
    "flat-far": "low elsewhere",
    "lyapunov": "equation",
    "non-symmetric": "about 1.25",
    "partial": "in between",
    "weights": "same",
    "bins": "rises",
    "ten-seconds": "4/3",
    "one-second": "below 4/3",
    "hu": "4/3",
    "hu-density": "7/4",
    "half-two-thirds": "about 1,500",
    "half-four-thirds": "3",
    "cortex": "0.7 to 0.85",
    "neuropixels": "0.7 to 0.85",
    "ca1": "0.4 to 0.5",
    "cortex-shuffle": "p = 4.5 × 10<sup>−10</sup>",
    "neuropixels-shuffle": "p = 0.009",
    "ca1-shuffle": "p = 0.07",
    "running": "same",
    "direct": "biased",
    "svca": "too steep",
    "svca2": "closest",
    "r-network": "larger are slower",
    "r-recordings": "larger are slower",
    "map": "equal",
    "turns-symmetric": "near zero",
    "turns-non-symmetric": "large",
    "turns-recordings": "near zero",
    "sequences": "rotate",
    "sparse": "unchanged",
    "sparse-limit": "about 0.4%",
    "clustered": "unchanged",
    "clustered-limit": "1%",
    "spatial": "unchanged",
    "spatial-limit": "1%",
    "strong-connected": "far likelier",
    "odds-length": "fall with length",
    "odds-ratio": "grow",
    "average-correlation": "hardly",
    "global": "global",
    "keeps-binary-symmetric": "seconds",
    "keeps-binary-rotating": "seconds",
    "keeps-zero-shot-symmetric": "seconds",
    "keeps-zero-shot-rotating": "seconds",
    "keeps-eigenvectors-symmetric": "seconds",
    "keeps-eigenvectors-rotating": "seconds",
    "keeps-binary-echo": "under 0.5 s",
    "keeps-zero-shot-echo": "under 0.5 s",
    "keeps-eigenvectors-echo": "under 0.5 s",
    "random-binary": "much better",
    "random-zero-shot": "much better",
    "random-eigenvectors": "much better",
    "rotation": "no worse",
    "random-matched": "much better",
}
# Of each claim about animals, how many recordings the paper has.
RECORDINGS = {"cortex": "18", "neuropixels": "3", "ca1": "8"}
VERDICTS = {"Reproduced", "Differs", "Needs their recordings"}


def run(cells, where):
    """Run code cells in one namespace; return it, the tables shown and the text printed."""
    tables, printed, names = [], io.StringIO(), {"__name__": "__main__"}
    patch = pytest.MonkeyPatch()
    patch.setattr(IPython.display, "display", lambda shown: tables.append(shown.data))
    patch.chdir(where)
    try:
        with contextlib.redirect_stdout(printed):
            for i, source in enumerate(cells):
                exec(compile(source, f"{PAGE.name}, code cell {i + 1}", "exec"), names)
    finally:
        patch.undo()
    return names, tables, printed.getvalue()


@pytest.fixture(scope="module")
def rule():
    """What the page's first two code cells define: the rule and the tables."""
    return run(CELLS[:2], PAGE.parent)[0]


@pytest.fixture(scope="module")
def page():
    return run(CELLS, PAGE.parent)


@pytest.fixture(scope="module")
def soup(page):
    return BeautifulSoup("".join(page[1]), "html.parser")


# --- the rule ---------------------------------------------------------------------------------


def test_a_value_inside_is_reproduced(rule):
    assert rule["verdict"](0.69, 0.685, 0.695) == ("reproduced", "")
    assert rule["verdict"](0.685, 0.685, 0.695)[0] == "reproduced"


def test_two_standard_deviations_count_and_more_do_not(rule):
    assert rule["verdict"](0.71, 0.685, 0.695, 0.01)[0] == "reproduced"
    assert rule["verdict"](0.72, 0.685, 0.695, 0.01, because="x")[0] == "differs"


@pytest.mark.parametrize("value", [0.6, 0.7, float("nan"), float("inf")])
def test_a_value_outside_differs_and_needs_a_reason(rule, value):
    assert rule["verdict"](value, 0.685, 0.695, because="N is small") == (
        "differs",
        "because N is small",
    )
    with pytest.raises(ValueError, match="nobody says why"):
        rule["verdict"](value, 0.685, 0.695)


def test_a_stand_in_never_reproduces_an_animal(rule):
    inside = rule["verdict"](0.8, 0.7, 0.85, recordings="Run it.")
    outside = rule["verdict"](0.9, 0.7, 0.85, because="of bins", recordings="Run it.")
    assert inside[0] == outside[0] == "needs their recordings"
    assert "lies inside. Run it." in inside[1]
    assert "lies outside, because of bins. Run it." in outside[1]


def test_published_values_become_intervals(rule):
    assert rule["rounds_to"](0.69, 2) == pytest.approx((0.685, 0.695))
    assert rule["about"](1500) == pytest.approx((1350, 1650))


@pytest.mark.parametrize(
    "x, digits, sd, text",
    [
        (0.6931, 2, 0.012, "0.69 ± 0.01"),
        (1398, 0, None, "1,398"),
        (-0.17, 2, None, "−0.17"),
        (-0.001, 2, 0.001, "−0.001 ± 0.001"),
        (0.998, 3, 1e-13, "0.998 ± 0"),
        (0.0, 2, None, "0.00"),
        (8e-13, 2, None, "8 × 10<sup>−13</sup>"),
        (-3e-4, 2, None, "−3 × 10<sup>−4</sup>"),
    ],
)
def test_numbers_read_well(rule, x, digits, sd, text):
    assert rule["number"](x, digits, sd) == text


def test_several_verdicts_make_one(rule, page):
    overall = page[0]["overall"]
    assert overall(["reproduced"] * 3) == "reproduced"
    assert overall(["reproduced", "differs"]) == "differs, in part"
    assert overall(["needs their recordings"] * 2) == "needs their recordings"


# --- the rows ---------------------------------------------------------------------------------


def test_every_claim_is_there_with_its_published_value(page, soup):
    claims = page[0]["CLAIMS"]
    assert set(claims) == set(PUBLISHED)
    for name, published in PUBLISHED.items():
        assert published in claims[name].published, name
        row = soup.find(id=f"claim-{name}")
        cell = BeautifulSoup(published, "html.parser").get_text()
        assert cell in row.find_all("td")[0].get_text(), name
    for name, count in RECORDINGS.items():
        assert claims[name].says.startswith(f"{count} "), name


def test_claims_about_animals_stay_open(page):
    claims = page[0]["CLAIMS"]
    open_claims = {name for name, claim in claims.items() if claim.recordings}
    assert open_claims >= {*RECORDINGS, *(f"{name}-shuffle" for name in RECORDINGS), "running"}
    for name in open_claims:
        assert claims[name].judged[0] == "needs their recordings"
        assert "simulated" in claims[name].sample or "-like" in claims[name].sample, name


def test_a_changed_value_changes_the_verdict(page):
    for name, claim in page[0]["CLAIMS"].items():
        low, high = claim.interval
        inside = high if low == -float("inf") else low
        outside = high + 1 + abs(high) if high < float("inf") else low - 1 - abs(low)
        changed = dataclasses.replace(claim, ours=outside, because="it was changed")
        kept = dataclasses.replace(claim, ours=inside, because="it was changed")
        words = changed.judged[0], kept.judged[0]
        if claim.recordings:
            assert "outside" in changed.judged[1] and "inside" in kept.judged[1], name
        else:
            assert words == ("differs", "reproduced"), name


def test_no_value_of_ours_is_typed():
    """The argument `ours` of each Claim is computed: it holds a name, and no name is a constant."""
    tree = ast.parse("\n".join(CELLS))
    constants = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Claim"
    ]
    assert len(calls) > 50
    for call in calls:
        used = {node.id for node in ast.walk(call.args[5]) if isinstance(node, ast.Name)}
        assert used - constants, ast.unparse(call.args[5])


def test_no_cell_is_empty(soup):
    cells = soup.find_all(["th", "td", "caption"])
    assert len(cells) > 5 * len(PUBLISHED)
    for cell in cells:
        text = (cell.find("div") or cell).get_text().strip()
        assert text and not re.search(r"\bnan\b|\binf\b|None", text), cell
    for row in soup.select("tbody tr"):
        assert len(row.find_all(["th", "td"])) == len(row.find_parent("table").thead.find_all("th"))


def test_rows_say_how_they_were_judged(soup):
    for name in PUBLISHED:
        cells = soup.find(id=f"claim-{name}").find_all("td")
        assert re.search(r"judged as (at (most|least) )?[−\d]", cells[0].get_text()), name
        assert cells[2].find("strong").get_text() in VERDICTS, name
        if cells[2].find("strong").get_text() == "Differs":
            assert "Because" in cells[2].find("small").get_text(), name


def test_ten_points(page, soup):
    points = soup.find_all(id=re.compile("^point-"))
    assert [point["id"] for point in points] == [f"point-{i}" for i in range(1, 11)]
    for point in points:
        assert point.find("a", href=re.compile("^#claim-"))
    assert len(page[0]["POINTS"]) == 10


def test_what_is_printed_adds_up(page, soup):
    counts = [int(n) for n in re.findall(r"\d+", page[2])]
    assert re.fullmatch(
        r"\d+ claims: \d+ reproduced, \d+ differ, \d+ need their recordings\n", page[2]
    )
    assert counts[0] == len(PUBLISHED) == sum(counts[1:])
    assert counts[0] == len(soup.select("tr[id^=claim-]"))


# --- the tables as HTML -----------------------------------------------------------------------


def test_tables_can_be_read_without_seeing_them(soup):
    for table in soup("table"):
        assert table.caption.get_text()
        assert all(th["scope"] == "col" for th in table.select("thead th"))
        assert all(row.th["scope"] == "row" for row in table.select("tbody tr"))
        # cards on a phone are no longer a table to a browser, unless roles say so
        assert table["role"] == "table"
        assert all(tag.get("role") for tag in table.find_all(["thead", "tbody", "tr", "th", "td"]))
    names = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(names) == len(set(names))


def headings(path):
    text = "\n".join(
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    return {make_id(re.sub(r"[$\\]", "", h)) for h in re.findall(r"^#+ (.+)$", text, flags=re.M)}


def test_links_lead_to_sections_that_exist(soup):
    for href in {tag["href"] for tag in soup("a", href=True)}:
        file, _, anchor = href.partition("#")
        if not file:
            assert soup.find(id=anchor), href
            continue
        path = (PAGE.parent / file).resolve().with_suffix(".ipynb")
        assert path.exists(), f"{href}: no such chapter"
        assert not anchor or anchor in headings(path), f"{href}: no such section"


def test_the_page_is_light(page):
    """It is part of every build: large results belong into data/."""
    assert sum(len(table) for table in page[1]) < 200_000
    assert os.path.getsize(PAGE) < 100_000


def test_a_notebook_kept_as_text_has_no_launch_buttons():
    spec = importlib.util.spec_from_file_location(
        "critical_book", ROOT / "book" / "_ext" / "critical_book.py"
    )
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    buttons = [{"label": "launch-buttons"}, {"label": "download-buttons"}]
    for suffix, kept in ((".md", buttons[1:]), (".ipynb", buttons)):
        context = {"page_source_suffix": suffix, "header_buttons": list(buttons)}
        context |= {"script_files": [], "css_files": [], "body": ""}
        extension.tidy_page(None, "page", "page.html", context, None)
        assert context["header_buttons"] == kept
