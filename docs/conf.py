"""Configuration of the documentation site: ``sphinx-build -W -c docs . site``.

The source folder is the repository's root, so that pages, examples and the changelog link to each other as
they do in a checkout. Pages of commands, messages and the Python interface are made from the program itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bec_md

sys.path.insert(0, str(Path(__file__).parent))

project = "bec-md"
author = "The bec-md developers"
copyright = author
release = version = bec_md.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "_site.pages",
    "_site.mathematics",
]
root_doc = "docs/README"
include_patterns = [
    "docs/**.md",
    "docs/**.rst",
    "docs/**.ipynb",
    "examples/**/README.md",
    "examples/README.md",
    "lammps_plugin/README.md",
    "bec_md/network/bundled/*.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "SECURITY.md",
]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "auto"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
numpydoc_show_class_members = False

smartquotes_action = "qe"  # options keep their two dashes

html_theme = "furo"
html_title = f"bec-md {release}"
html_math_renderer = "mathml"
html_static_path = ["_site/site.css"]
html_css_files = ["site.css"]
maximum_signature_line_length = 80
html_theme_options = {"source_view_link": "", "navigation_with_keys": True}
html_show_sourcelink = False
linkcheck_ignore = [
    r"https://github\.com/bec-md/",  # not before the first release
    r"https://bec-md\.github\.io/",
    r"https://doi\.org/",  # publishers answer 403 to programs; the report's citations are tested otherwise
]
linkcheck_anchors = False
