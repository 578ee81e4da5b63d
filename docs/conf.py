"""How Sphinx builds these pages; ``make docs`` does it, without a network."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "trxas"
release = version = version_of("trxas")
html_title = f"trxas {version}"
html_show_copyright = False
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["generator"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of numpy and of the standard library have no page here

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # numpydoc's sections name types and shapes
numpydoc_show_class_members = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

html_theme = "alabaster"
html_static_path = ["static"]
html_css_files = ["page.css"]
html_show_sourcelink = False
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_theme_options = {
    "description": "MHz laser-pump / X-ray-probe X-ray absorption: acquisition and live reduction",
    "fixed_sidebar": False,
    "page_width": "76rem",
    "sidebar_width": "15rem",
    "body_max_width": "58rem",
    "font_family": "system-ui, sans-serif",
    "head_font_family": "system-ui, sans-serif",
    "show_powered_by": False,
}
