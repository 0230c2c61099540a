"""The documentation as a site: ``make docs``. Tables that follow the program are made by `generated_tables`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "livestem"
html_title = "livestem"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated_tables"]
exclude_patterns = ["decisions/0000-copy-me.md"]
html_theme = "furo"
smartquotes = False
html_copy_source = False
html_show_copyright = False
default_role = "code"
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
