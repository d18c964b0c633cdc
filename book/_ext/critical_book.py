"""What this book needs from Sphinx beyond its settings.

- MathJax is copied into the book, so that pages ask nothing of another host.
- MathJax is loaded on every page: quizzes have mathematics that Sphinx does not see.
- Thebe, which Jupyter Book always adds and which fetches itself from another host, is left out.
- Buttons that lead to the repository exist only while `repository.url` is set in _config.yml, and
  the address in the social-card metadata follows from it.
"""

import html
import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

MATHJAX = "sphinx-mathjax-offline"  # a wheel that carries MathJax 3.2.2
# The one bundle that pages load, and the folders from which it fetches more when asked to, for
# example the speech for screen readers.
MATHJAX_PARTS = ("tex-mml-chtml.js", "a11y", "input", "output", "sre")


def configure(app, config):
    """Fill in what follows from other settings."""
    options = config.html_theme_options
    url = (options.get("repository_url") or "").rstrip("/")
    for name in ("repository", "issues"):
        options[f"use_{name}_button"] = bool(url)
    if not url:
        options["launch_buttons"] = {}
    elif url.startswith("https://github.com/") and not config.ogp_site_url:
        owner, name = url.removeprefix("https://github.com/").split("/")[:2]
        config.ogp_site_url = f"https://{owner.lower()}.github.io/{name}/"
        config.ogp_image = "_static/card.jpg"
    # Quizzes mark their mathematics by class; code and other outputs are left alone.
    config.mathjax_path = "mathjax/tex-mml-chtml.js"


def always_load_assets(app):
    """Load MathJax on pages that have no mathematics of Sphinx's own, too."""
    app.set_html_assets_policy("always")


def tidy_page(app, pagename, templatename, context, doctree):
    """Leave out what this book does not use, and repair two things in the text."""
    # Jupyter Book always adds Thebe, which would fetch itself from another host.
    for kind in ("script_files", "css_files"):
        context[kind] = [
            file
            for file in context[kind]
            if "thebe" not in f"{file}{getattr(file, 'attributes', '')}".lower()
        ]
    # A notebook that is kept as text opens neither in Colab nor, as a notebook, on Binder.
    if (context.get("page_source_suffix") or "") == ".md":
        context["header_buttons"] = [
            button
            for button in context.get("header_buttons") or []
            if button.get("label") != "launch-buttons"
        ]
    body = context.get("body") or ""
    body = re.sub(r'\s*<script type="text/x-thebe-config">.*?</script>', "", body, flags=re.DOTALL)
    body = re.sub(r"\s*<script>kernelName = .*?</script>", "", body)
    # numpydoc gives references made-up names to keep them apart, and leaves those in the text.
    body = re.sub(r"\[R[0-9a-f]{12}-(\w+)\]", r"[\1]", body)
    # Accessibility checkers reject a list whose entries have the role of bibliography entries.
    context["body"] = body.replace('<div role="list" class="citation-list">', "<div>")


def copy_mathjax(app, exception):
    """Copy MathJax from its wheel into the finished book."""
    if exception is not None or app.builder.format != "html":
        return
    source = Path(distribution(MATHJAX).locate_file(f"{MATHJAX}/static/mathjax"))
    target = Path(app.outdir, "_static", "mathjax")
    for part in MATHJAX_PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / part, target / part)


def write_index(app, exception):
    """Send a reader who opens the root of the book to its first page."""
    if exception is None and app.builder.format == "html":
        first = app.builder.get_target_uri(app.config.root_doc)
        title = html.escape(app.config.html_title or app.config.project)
        Path(app.outdir, "index.html").write_text(
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<link rel="icon" href="_static/logo.svg">'
            f'<meta http-equiv="refresh" content="0; url={first}"></head>'
            f'<body><p><a href="{first}">{title}</a></p></body></html>\n',
            encoding="utf-8",
        )


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", configure, priority=900)
    app.connect("builder-inited", always_load_assets)
    app.connect("html-page-context", tidy_page, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", write_index, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
