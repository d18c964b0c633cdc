"""Figures with sliders and quizzes that work with and without a running kernel.

An explorer draws every picture once, beforehand, and lets the reader's browser switch between
them. So it does the same in a notebook and in the published page, where no Python runs. It is
plain HTML with the browser's own sliders: a keyboard, a screen reader and a phone can work them.
"""

import base64
import hashlib
import html
import io
import itertools
import json
import re
import string

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image
from tqdm import tqdm

# A page has to open quickly on a phone, and base64 adds a third to every picture.
MAX_BYTES = 400_000

# Every fragment begins with this, by which tools/refresh.py and nbval know it: a stored notebook
# keeps one line in its place.
MARK = "<!-- critlib fragment -->"


class Fragment:
    """A piece of HTML that a notebook shows; made by `slider`, `two_sliders` and `quiz`.

    Parameters
    ----------
    markup : str
        The HTML.
    summary : str
        What it is, in a few words: the same in every run, so that stored outputs can be compared.

    Examples
    --------
    >>> Fragment("<b>Hello</b>", "a greeting")
    <a greeting>
    """

    def __init__(self, markup, summary):
        self._markup = markup
        self._summary = summary

    def _repr_html_(self):
        return MARK + self._markup

    def __repr__(self):
        return f"<{self._summary}>"


def slider(draw, options, *, label, alt, start=0, dpi=100, n_colors=64, max_bytes=MAX_BYTES):
    """Make a figure with one slider.

    Parameters
    ----------
    draw : callable
        ``draw(value)`` returns a new `matplotlib.figure.Figure`. It is called once for each option.
        All figures should have the same size, so that nothing jumps.
    options : sequence
        Values along the slider, in order, at least two. Each is a value, shown as ``str(value)``,
        or a pair ``(text, value)``.
    label : str
        What the slider changes, with its unit. It is shown beside the slider and read aloud by a
        screen reader.
    alt : str or callable
        Says in words what the picture shows. ``alt(value)`` is called for each option; a plain
        string gets the label and the option's text appended.
    start : int, default: 0
        Index of the option that is shown first.
    dpi : float, default: 100
        Pixels per inch of the pictures.
    n_colors : int, default: 64
        Colours that each picture keeps, between 2 and 256. Fewer make a smaller page.
    max_bytes : int, default: 400000
        Largest total size of the pictures, in bytes, as stored in the page.

    Returns
    -------
    Fragment
        The explorer, which a notebook shows when it is the last line of a cell.

    Raises
    ------
    ValueError
        If there are fewer than two options, if two options have the same text, if `label` or an
        alternative text is empty, if `start` is outside the options, or if the pictures are larger
        than `max_bytes` together.
    TypeError
        If `draw` cannot be called or does not return a figure.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def draw(slope):
    ...     figure, axes = plt.subplots(figsize=(2, 1.5))
    ...     axes.plot([0, 1], [0, slope])
    ...     return figure
    >>> slider(draw, [1, 2, 3], label="Slope", alt="A line from the origin.")
    <explorer, Slope: 1 to 3, 3 pictures>
    """
    return _explorer(draw, [(options, label, start)], alt, dpi, n_colors, max_bytes)


def two_sliders(
    draw,
    first,
    second,
    *,
    labels,
    alt,
    start=(0, 0),
    dpi=100,
    n_colors=32,
    max_bytes=MAX_BYTES,
):
    """Make a figure with two sliders.

    Every combination is drawn beforehand, so keep both short: 6 times 5 options are 30 pictures.

    Parameters
    ----------
    draw : callable
        ``draw(value_1, value_2)`` returns a new `matplotlib.figure.Figure`.
    first, second : sequence
        Options of the two sliders; see `slider`.
    labels : tuple of str
        What the two sliders change; two different texts.
    alt : str or callable
        As in `slider`; called as ``alt(value_1, value_2)``.
    start : tuple of int, default: (0, 0)
        Indices of the options that are shown first.
    dpi, n_colors, max_bytes
        As in `slider`; 32 colours by default.

    Returns
    -------
    Fragment
        The explorer, which a notebook shows when it is the last line of a cell.

    Raises
    ------
    ValueError, TypeError
        As in `slider`; also if `labels` or `start` are not two.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def draw(x, y):
    ...     figure, axes = plt.subplots(figsize=(2, 1.5))
    ...     axes.plot([0, x], [0, y])
    ...     return figure
    >>> two_sliders(draw, [1, 2], [("low", 0), ("high", 1)], labels=("x", "y"), alt="A line.")
    <explorer, x: 1 to 2, y: low to high, 4 pictures>
    """
    if isinstance(labels, str) or len(labels) != 2 or labels[0] == labels[1]:
        raise ValueError(f"labels must be two different texts, got {labels!r}.")
    if len(start) != 2:
        raise ValueError(f"start must be two indices, one for each slider, got {start!r}.")
    sliders = [(first, labels[0], start[0]), (second, labels[1], start[1])]
    return _explorer(draw, sliders, alt, dpi, n_colors, max_bytes)


def live(draw, **controls):
    """Make a figure with sliders that take any value, drawn anew each time.

    This needs a running kernel: in the published page nothing would move. Use it in your own copy
    of a chapter, with the same `draw` as its `slider`.

    Parameters
    ----------
    draw : callable
        ``draw(**values)`` returns a new `matplotlib.figure.Figure`.
    **controls
        One for each argument of `draw`, as `ipywidgets.interact` takes them: ``(low, high, step)``
        for a slider, a list for a menu, True or False for a box to tick.

    Returns
    -------
    ipywidgets.interactive
        The sliders and the figure, which a notebook shows when it is the last line of a cell.

    Raises
    ------
    ValueError
        If no control is given, or one cannot be turned into a widget.
    TypeError
        If `draw` cannot be called or does not return a figure.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def draw(slope):
    ...     figure, axes = plt.subplots(figsize=(2, 1.5))
    ...     axes.plot([0, 1], [0, slope])
    ...     return figure
    >>> import contextlib
    >>> with contextlib.redirect_stdout(io.StringIO()):  # without a notebook, it prints
    ...     widget = live(draw, slope=(0.0, 2.0, 0.1))
    >>> widget.kwargs_widgets[0].max
    2.0
    """
    if not callable(draw):
        raise TypeError(f"draw is {draw!r}: pass a function that returns a figure")
    if not controls:
        raise ValueError("controls are missing: name at least one argument of draw")

    def show(**values):
        figure = draw(**values)
        if not isinstance(figure, Figure):
            raise TypeError(f"draw returned {type(figure).__name__}: it must return a figure")
        display(figure)
        plt.close(figure)

    widget = ipywidgets.interactive(show, **controls)
    for control in widget.kwargs_widgets:
        if hasattr(control, "continuous_update"):
            control.continuous_update = False  # draw when the slider is let go
    return widget


def quiz(questions):
    r"""Make a quiz that answers back at once.

    It is plain HTML without any script: choosing an answer shows what is right or wrong about it.

    Parameters
    ----------
    questions : sequence of dict
        Each has ``"question"`` (str) and ``"answers"``, at least two dicts with ``"answer"`` (str),
        ``"correct"`` (bool) and ``"feedback"`` (str). If several answers are correct, the reader
        can choose several. Texts may contain mathematics between dollar signs, `code` between
        backticks and *emphasis* between stars.

    Returns
    -------
    Fragment
        The form, which a notebook shows when it is the last line of a cell.

    Raises
    ------
    ValueError
        If there is no question, a question has fewer than two answers or no correct one, a text is
        missing, or two questions are the same.

    Examples
    --------
    >>> quiz([{
    ...     "question": r"Which $\lambda_{max}$ is critical?",
    ...     "answers": [
    ...         {"answer": "0.5", "correct": False, "feedback": "Activity dies within $2\\tau$."},
    ...         {"answer": "1", "correct": True, "feedback": "The slowest mode never decays."},
    ...     ],
    ... }])
    <quiz of 1>
    """
    questions = list(questions)
    if not questions:
        raise ValueError("questions is empty: give at least one question.")
    asked = [item.get("question") for item in questions]
    if len(set(asked)) < len(asked):
        raise ValueError("questions holds the same question twice: reword or remove one.")
    forms = "".join(_question(i, item) for i, item in enumerate(questions, start=1))
    markup = f'<style>{_QUIZ_STYLE}</style><div class="critlib-quiz tex2jax_process">{forms}</div>'
    return Fragment(markup, f"quiz of {len(questions)}")


# The theme's colours where there is a theme, the surrounding ones in a notebook. Right and wrong
# are told by words; colour only underlines them.
_QUIZ_STYLE = """
.critlib-quiz fieldset {border: 1px solid #8888; border-radius: 6px; margin: 0 0 1em;
padding: .2em 1em .7em; min-width: 0}
.critlib-quiz legend {font-size: 1em; font-weight: 600; float: left; width: 100%;
margin: .5em 0; padding: 0; border: 0; color: inherit}
.critlib-quiz legend + * {clear: both}
.critlib-quiz .option {padding: .25em 0; display: grid; grid-template-columns: 1.8em 1fr;
align-items: baseline}
.critlib-quiz input {width: 1.1em; height: 1.1em; margin: 0; align-self: center}
.critlib-quiz label {margin: 0; cursor: pointer; color: inherit; min-height: 24px}
.critlib-quiz .feedback {display: none; grid-column: 2; margin: .2em 0 .4em;
padding: .1em .8em; border-left: 4px solid #D55E00}
.critlib-quiz .feedback.right {border-left-color: #009E73}
.critlib-quiz input:checked ~ .feedback {display: block}
""".replace("\n", " ").strip()


def _question(number, item):
    """Markup of one question."""
    text, answers = item.get("question"), list(item.get("answers") or [])
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"question {number} has no text under 'question': {item!r}.")
    if len(answers) < 2:
        raise ValueError(f"question {number} needs at least two answers, got {len(answers)}.")
    for answer in answers:
        for key, kind in (("answer", str), ("correct", bool), ("feedback", str)):
            if not isinstance(answer.get(key), kind) or answer[key] == "":
                raise ValueError(
                    f"each answer to question {number} needs {key!r} ({kind.__name__}), "
                    f"got {answer!r}."
                )
    n_correct = sum(answer["correct"] for answer in answers)
    if n_correct == 0:
        raise ValueError(f"question {number} has no correct answer: mark one 'correct': True.")
    kind = "radio" if n_correct == 1 else "checkbox"
    hint = "" if n_correct == 1 else " (several are right)"
    # The name follows from the text, so that it is the same in every run.
    name = "quiz-" + hashlib.sha256(text.encode()).hexdigest()[:10]
    rows = []
    for i, answer in enumerate(answers):
        # A letter to refer to, and a name for the choice where the answer is a formula.
        letter = string.ascii_lowercase[i]
        verdict, style = ("Right.", "right") if answer["correct"] else ("Not quite.", "wrong")
        rows.append(
            f'<div class="option"><input type="{kind}" name="{name}" id="{name}-{i}">'
            f'<label for="{name}-{i}">{letter}) {_inline(answer["answer"])}</label>'
            f'<div class="feedback {style}" role="status"><strong>{verdict}</strong> '
            f"{_inline(answer['feedback'])}</div></div>"
        )
    legend = f"<legend>{number}. {_inline(text)}{hint}</legend>"
    return f"<fieldset>{legend}{''.join(rows)}</fieldset>"


def _inline(text):
    """Turn dollar mathematics, backticks and stars into HTML; everything else is literal."""
    parts = re.split(r"(\$[^$]+\$|`[^`]+`)", text)
    done = []
    for part in parts:
        safe = html.escape(part, quote=False)
        if re.fullmatch(r"\$[^$]+\$", part):
            done.append(rf"\({safe[1:-1]}\)")
        elif re.fullmatch(r"`[^`]+`", part):
            done.append(f"<code>{safe[1:-1]}</code>")
        else:
            done.append(re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", safe))
    return "".join(done)


def _explorer(draw, sliders, alt, dpi, n_colors, max_bytes):
    """Markup of the sliders, and of one picture for each combination of their options."""
    checked = [_options(*slider) for slider in sliders]
    combinations = list(itertools.product(*(zip(texts, values) for texts, values in checked)))
    labels = [label for _, label, _ in sliders]
    alts = [
        _alt_text(alt, zip(labels, [text for text, _ in pairs]), [value for _, value in pairs])
        for pairs in combinations
    ]
    arguments = [[value for _, value in pairs] for pairs in combinations]
    pictures = _render(draw, arguments, dpi, n_colors, max_bytes)
    shown = 0
    for (texts, _), (_, _, start) in zip(checked, sliders):
        shown = shown * len(texts) + start
    # Width and height let the browser keep the place free; the style lets the picture shrink.
    images = "".join(
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(words)}" width="{width}" '
        f'height="{height}"{"" if i == shown else " hidden"}>'
        for i, ((data, width, height), words) in enumerate(zip(pictures, alts))
    )
    handles = "".join(
        f'<label><span>{html.escape(label)}</span><input type="range" min="0" '
        f'max="{len(texts) - 1}" value="{start}" data-texts="{html.escape(json.dumps(texts))}" '
        f'aria-valuetext="{html.escape(texts[start])}" autocomplete="off" oninput="{_SWITCH}">'
        f'<span aria-hidden="true">{html.escape(texts[start])}</span></label>'
        for (texts, _), (_, label, start) in zip(checked, sliders)
    )
    summary = ", ".join(
        f"{label}: {texts[0]} to {texts[-1]}" for (texts, _), label in zip(checked, labels)
    )
    # The data attribute keeps JupyterLab from taking the arrow keys for its own.
    return Fragment(
        f'<style>{_EXPLORER_STYLE}</style><div class="critlib-explorer" '
        f'data-lm-suppress-shortcuts="true">{handles}{images}</div>',
        f"explorer, {summary}, {len(pictures)} pictures",
    )


# What a moved slider does: tell its new value, then show the picture that belongs to all sliders
# of its box. It stands in the attribute because notebooks do not run scripts at a known time.
_SWITCH = (
    "const box = this.closest('.critlib-explorer');"
    "const text = JSON.parse(this.dataset.texts)[this.value];"
    "this.setAttribute('aria-valuetext', text);"
    "this.nextElementSibling.textContent = text;"
    "let shown = 0;"
    "for (const s of box.querySelectorAll('input')) shown = shown * (+s.max + 1) + +s.value;"
    "box.querySelectorAll('img').forEach((img, i) => { img.hidden = i !== shown; });"
)

_EXPLORER_STYLE = """
.critlib-explorer label {display: flex; flex-wrap: wrap; align-items: center; gap: .2em .8em;
max-width: 640px; margin: 0 0 .5em}
.critlib-explorer input {flex: 1 1 10em; min-width: 8em; height: 24px; margin: 0;
accent-color: #0072B2}
.critlib-explorer input + span {min-width: 4em; font-variant-numeric: tabular-nums}
.critlib-explorer img {max-width: 100%; height: auto; background: white}
.critlib-explorer img[hidden] {display: none}
""".replace("\n", " ").strip()


def _options(options, label, start):
    """Check one slider's options and return their texts and their values."""
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"label must be a text that names the slider, got {label!r}.")
    pairs = [o if _is_pair(o) else (str(o), o) for o in options]
    if len(pairs) < 2:
        raise ValueError(f"slider {label!r} needs at least two options, got {len(pairs)}.")
    texts, values = zip(*pairs)
    if len(set(texts)) < len(texts):
        raise ValueError(f"slider {label!r} needs options with different texts, got {texts}.")
    if start not in range(len(pairs)):
        raise ValueError(
            f"start of slider {label!r} must be an index from 0 to {len(pairs) - 1}, got {start!r}."
        )
    return texts, values


def _is_pair(option):
    """Whether an option is a pair of a text and a value."""
    return isinstance(option, tuple) and len(option) == 2 and isinstance(option[0], str)


def _alt_text(alt, settings, values):
    """Alternative text of one picture."""
    if callable(alt):
        text = alt(*values)
    else:
        text = alt
        if isinstance(alt, str) and alt.strip():
            text = f"{alt} ({', '.join(f'{label}: {shown}' for label, shown in settings)})"
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"alt must say in words what the picture shows, got {text!r} for {values!r}."
        )
    return text


def _render(draw, arguments, dpi, n_colors, max_bytes):
    """Draw all pictures; return for each its base64 PNG, width and height."""
    if not callable(draw):
        raise TypeError(f"draw must be a function that returns a figure, got {draw!r}.")
    if not 2 <= n_colors <= 256:
        raise ValueError(f"n_colors must be between 2 and 256, got {n_colors!r}.")
    waiting = tqdm(arguments, desc="Drawing", unit="picture", delay=2, leave=False)
    pictures = [_picture(draw, values, dpi, n_colors) for values in waiting]
    total = sum(len(data) for data, _, _ in pictures)
    if total > max_bytes:
        raise ValueError(
            f"the {len(pictures)} pictures take {total:,} bytes, more than max_bytes={max_bytes:,}:"
            " use fewer options, a smaller figsize or dpi, fewer n_colors, or draw fewer points."
        )
    return pictures


def _picture(draw, values, dpi, n_colors):
    """Draw one picture; return it as base64 PNG, with its width and height in pixels."""
    before = set(plt.get_fignums())
    try:
        figure = draw(*values)
        if not isinstance(figure, Figure):
            raise TypeError(f"draw(*{values!r}) must return a matplotlib Figure, got {figure!r}.")
        raw = io.BytesIO()
        figure.savefig(raw, format="png", dpi=dpi, facecolor="white")
    finally:
        # Close what draw opened, also if it failed, and nothing that was open before.
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
    image = Image.open(raw).convert("RGB").quantize(n_colors, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, format="PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode("ascii"), image.width, image.height
