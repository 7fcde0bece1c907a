"""The site of the manual, for Sphinx.

Sphinx with MyST: the pages are Markdown, which a forge shows as well, and both have had a release this year and many
maintainers. MkDocs has had none since 2024, Material for MkDocs ended with it, and Zensical, its successor, is young;
mdBook and Hugo want a toolchain beside Python. `make docs` makes errors of warnings, so a link that leads nowhere ends
the build. Nothing is fetched, neither by the build nor by the pages.
"""

project = "flashdeck"
author = "the flashdeck authors"
project_copyright = "the flashdeck authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3  # links to a heading, as GitHub has them
html_theme = "furo"
html_title = "flashdeck"
html_copy_source = False
html_show_sphinx = False
nitpicky = True
