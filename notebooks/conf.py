"""How the site is built: `pip install ".[site]"`, then `python -m sphinx notebooks site`."""

from __future__ import annotations

import os
import re
from html import escape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.ext import autosummary

import influstat

# The kernels of the pages inherit it: with another backend their pictures would not be shown.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

project = "influstat"
author = "The influstat developers"
project_copyright = "the influstat developers, BSD-3-Clause"
version = release = influstat.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_nb"]
exclude_patterns = ["**.ipynb_checkpoints"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
source_suffix = {".rst": "restructuredtext", ".ipynb": "myst-nb", ".md": "myst-nb"}

# -- pages --------------------------------------------------------------------------------------------------

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
# Pages of code cells run at build time, on data that statsmodels brings along. The notebooks are shown with
# the outputs they are stored with, which come from real data; `.ci/run` runs them on its own.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["*.ipynb"]
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_ipywidgets_js = {}  # no script from elsewhere

# -- reference ----------------------------------------------------------------------------------------------

default_role = "py:obj"  # `Fit.report` in a docstring is a link where there is something to link to
nitpicky = True  # what a page names with a role of its own must exist
nitpick_ignore_regex = [("py:(obj|class|exc|attr)", ".*")]  # backticked code, and types of signatures
autosummary_generate = True
autosummary.WELL_KNOWN_ABBREVIATIONS += ("eq.", "eqs.")  # they end no sentence
autosummary_imported_members = True
autodoc_typehints = "none"  # the docstrings say it, with shapes
suppress_warnings = ["ref.python"]  # `removal` in a docstring may mean several
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"  # beside a class its methods are named alone

# -- looks --------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "influstat"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {"index": [], "measured": [], "gallery": [], "lessons": []}


def mathml(translator, node, display):
    """Write a formula as MathML, which browsers draw by themselves: no script, nothing to load."""
    formula = convert(node.astext(), display=display)
    if display == "block":
        number = node.get("number")
        label = f'<span class="eqno">({escape(str(number))})</span>' if number else ""
        translator.body.append(f'<div class="math">{label}{formula}</div>')
    else:
        translator.body.append(formula)
    raise nodes.SkipNode


def readable(app, what, name, obj, options, lines):
    """Escape what docstrings mean as it stands: |x| is an absolute value, coef_ a name."""
    literal = False  # in an example, or in a formula set apart
    for k, line in enumerate(lines):
        text = line.strip()
        literal = text.startswith((">>>", ".. math::")) or (literal and text != "")
        if not literal:
            parts = re.split(r"(``.*?``|:math:`.*?`|`.*?`)", line)  # code and formulas are every second one
            parts[::2] = [re.sub(r"(\||(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
            lines[k] = "".join(parts)


def keep_outputs_inside(app):
    """Let the pictures of code cells lie in the folder of the site, not beside it."""
    folder = str(app.outdir / "_outputs")
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=folder)


def setup(app):
    """Register the formulas, the reading of docstrings, and where outputs go."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda translator, node: mathml(translator, node, "inline"), None),
        block_renderers=(lambda translator, node: mathml(translator, node, "block"), None),
    )
    app.connect("autodoc-process-docstring", readable, priority=900)  # after numpydoc
    app.connect("builder-inited", keep_outputs_inside, priority=900)  # after myst_nb


html_math_renderer = "mathml"
