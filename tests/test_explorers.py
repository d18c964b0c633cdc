"""Sliders and quizzes: what they show, what they refuse, what they leave behind."""

import base64
import io
import json

import matplotlib.pyplot as plt
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from PIL import Image

from critlib import explorers


def draw(*values):
    figure, axes = plt.subplots(figsize=(2, 1.5))
    axes.plot([0, 1], [0, sum(values)])
    axes.set_ylim(0, 10)
    return figure


def parse(fragment):
    return BeautifulSoup(fragment._repr_html_(), "html.parser")


def shown(soup):
    """Indices of the pictures that are not hidden."""
    return [i for i, img in enumerate(soup("img")) if not img.has_attr("hidden")]


def test_slider_has_one_picture_for_each_option_and_shows_the_first():
    soup = parse(explorers.slider(draw, [1, 2, 3], label="Slope", alt="A line."))
    assert len({img["src"] for img in soup("img")}) == 3
    assert shown(soup) == [0]
    handle = soup.input
    assert (handle["type"], handle["min"], handle["max"], handle["value"]) == (
        "range",
        "0",
        "2",
        "0",
    )
    assert json.loads(handle["data-texts"]) == ["1", "2", "3"]
    assert handle["aria-valuetext"] == "1"
    assert handle.find_parent("label").get_text().startswith("Slope")


def test_slider_draws_values_in_order_and_shows_texts():
    seen = []

    def remember(value):
        seen.append(value)
        return draw(value)

    soup = parse(
        explorers.slider(
            remember, [("none", 0.0), ("all", 9.0)], label="Gain", alt=lambda g: f"g={g}", start=1
        )
    )
    assert seen == [0.0, 9.0]
    assert [img["alt"] for img in soup("img")] == ["g=0.0", "g=9.0"]
    assert shown(soup) == [1]
    assert soup.input["aria-valuetext"] == "all"


def test_a_plain_alternative_text_gets_the_setting_appended():
    soup = parse(explorers.slider(draw, [1, 2], label="Slope", alt="A line."))
    assert [img["alt"] for img in soup("img")] == ["A line. (Slope: 1)", "A line. (Slope: 2)"]


def test_two_sliders_have_every_combination_and_start_where_asked():
    soup = parse(
        explorers.two_sliders(
            draw,
            [1, 2],
            [("a", 10), ("b", 20), ("c", 30)],
            labels=("x", "y"),
            alt=lambda x, y: f"{x}/{y}",
            start=(1, 2),
        )
    )
    assert [img["alt"] for img in soup("img")] == [f"{x}/{y}" for x in (1, 2) for y in (10, 20, 30)]
    assert shown(soup) == [5]
    assert [handle["value"] for handle in soup("input")] == ["1", "2"]


def test_pictures_are_small_pngs_of_the_size_they_claim():
    img = parse(explorers.slider(draw, [1, 2], label="s", alt="a", dpi=50, n_colors=8)).img
    data = base64.b64decode(img["src"].removeprefix("data:image/png;base64,"))
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (100, 75) == (int(img["width"]), int(img["height"]))
    assert len(picture.convert("RGB").getcolors()) <= 8


def test_texts_are_escaped():
    soup = parse(explorers.slider(draw, [1, 2], label='<b>"g" & h', alt='x < "y"'))
    assert soup.find("b") is None
    assert soup.label.span.get_text() == '<b>"g" & h'
    assert soup.img["alt"].startswith('x < "y"')


def test_same_input_gives_the_same_markup():
    first, second = (explorers.slider(draw, [1, 2], label="s", alt="a") for _ in range(2))
    assert first._repr_html_() == second._repr_html_()
    assert repr(first) == "<explorer, s: 1 to 2, 2 pictures>"


def test_figures_are_closed_and_others_left_alone():
    plt.close("all")
    mine = plt.figure()
    explorers.slider(draw, [1, 2], label="s", alt="a")
    assert plt.get_fignums() == [mine.number]

    def fail(value):
        plt.figure()
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        explorers.slider(fail, [1, 2], label="s", alt="a")
    assert plt.get_fignums() == [mine.number]
    plt.close("all")


def test_a_figure_without_pyplot_will_do():
    def bare(value):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, value])
        return figure

    assert len(parse(explorers.slider(bare, [1, 2], label="s", alt="a"))("img")) == 2


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"options": []}, ValueError, "at least two options, got 0"),
        ({"options": [1]}, ValueError, "at least two options, got 1"),
        ({"options": [1, 1]}, ValueError, "different texts"),
        ({"label": " "}, ValueError, "label must be a text"),
        ({"label": None}, ValueError, "label must be a text"),
        ({"alt": ""}, ValueError, "alt must say"),
        ({"alt": lambda v: None}, ValueError, "alt must say"),
        ({"alt": None}, ValueError, "alt must say"),
        ({"start": 2}, ValueError, "from 0 to 1, got 2"),
        ({"start": -1}, ValueError, "from 0 to 1, got -1"),
        ({"start": 0.5}, ValueError, "from 0 to 1, got 0.5"),
        ({"n_colors": 1}, ValueError, "between 2 and 256"),
        ({"max_bytes": 10}, ValueError, "more than max_bytes=10"),
        ({"draw": "no"}, TypeError, "draw must be a function"),
        ({"draw": lambda v: None}, TypeError, "must return a matplotlib Figure"),
    ],
)
def test_slider_refuses(change, error, words):
    good = {"draw": draw, "options": [1, 2], "label": "s", "alt": "a"}
    with pytest.raises(error, match=words):
        explorers.slider(**(good | change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": "xy"}, "labels must be two"),
        ({"labels": ("x",)}, "labels must be two"),
        ({"labels": ("x", "x")}, "labels must be two"),
        ({"start": (0,)}, "start must be two"),
        ({"second": [1]}, "slider 'y' needs at least two"),
    ],
)
def test_two_sliders_refuse(change, words):
    good = {"draw": draw, "first": [1, 2], "second": [1, 2], "labels": ("x", "y"), "alt": "a"}
    with pytest.raises(ValueError, match=words):
        explorers.two_sliders(**(good | change))


def answers(*correct):
    return [
        {"answer": f"answer {i}", "correct": right, "feedback": f"because {i}"}
        for i, right in enumerate(correct)
    ]


def test_quiz_with_one_right_answer_has_radio_buttons_that_belong_together():
    soup = parse(explorers.quiz([{"question": "Which?", "answers": answers(False, True)}]))
    assert [box["type"] for box in soup("input")] == ["radio", "radio"]
    assert len({box["name"] for box in soup("input")}) == 1
    verdicts = [text.get_text() for text in soup("div", role="status")]
    assert verdicts == ["Not quite. because 0", "Right. because 1"]
    for box in soup("input"):
        assert soup.find("label", attrs={"for": box["id"]}).get_text()


def test_quiz_with_several_right_answers_says_so():
    soup = parse(explorers.quiz([{"question": "Which?", "answers": answers(True, True, False)}]))
    assert {box["type"] for box in soup("input")} == {"checkbox"}
    assert "several are right" in soup.legend.get_text()


def test_quiz_texts_may_hold_mathematics_code_and_emphasis():
    question = r"Is $a < b$ `x < y` or *so* & <b>?"
    soup = parse(explorers.quiz([{"question": question, "answers": answers(True, False)}]))
    assert r"\(a < b\)" in soup.legend.get_text()
    assert soup.legend.code.get_text() == "x < y"
    assert soup.legend.em.get_text() == "so"
    assert soup.legend.b is None


def test_quiz_names_differ_between_questions_and_stay_the_same_between_runs():
    questions = [{"question": q, "answers": answers(True, False)} for q in ("One?", "Two?")]
    first, second = explorers.quiz(questions), explorers.quiz(questions)
    assert first._repr_html_() == second._repr_html_()
    assert len({box["name"] for box in parse(first)("input")}) == 2
    assert repr(first) == "<quiz of 2>"


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ([], "questions is empty"),
        ([{"question": "", "answers": answers(True, False)}], "question 1 has no text"),
        ([{"answers": answers(True, False)}], "question 1 has no text"),
        ([{"question": "Q?", "answers": answers(True)}], "at least two answers, got 1"),
        ([{"question": "Q?"}], "at least two answers, got 0"),
        ([{"question": "Q?", "answers": answers(False, False)}], "no correct answer"),
        ([{"question": "Q?", "answers": [{"answer": "a"}, {"answer": "b"}]}], "'correct'"),
        ([{"question": "Q?", "answers": answers(True, False)}] * 2, "same question twice"),
    ],
)
def test_quiz_refuses(questions, words):
    with pytest.raises(ValueError, match=words):
        explorers.quiz(questions)


def test_live_draws_again_when_a_slider_moves(monkeypatch):
    drawn, displayed = [], []

    def remember(slope):
        drawn.append(slope)
        return draw(slope)

    monkeypatch.setattr(explorers, "display", displayed.append)
    widget = explorers.live(remember, slope=(0.0, 2.0, 0.5))
    handle = widget.children[0]
    assert (handle.min, handle.max, handle.step) == (0.0, 2.0, 0.5)
    assert handle.continuous_update is False
    widget.update()
    handle.value = 1.5
    widget.update()
    assert drawn[-1] == 1.5
    assert isinstance(displayed[-1], Figure)
    assert plt.get_fignums() == []


def test_live_says_what_is_wrong():
    with pytest.raises(TypeError, match="draw"):
        explorers.live("sin", slope=(0, 1))
    with pytest.raises(ValueError, match="controls"):
        explorers.live(draw)
    with pytest.raises(ValueError):
        explorers.live(draw, slope=object())
