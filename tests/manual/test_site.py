"""The pages as a site: every link leads somewhere, and the references are as the models are."""

from pathlib import Path

import pytest

from manual.pages import DOCS, PAGES, ROOT
from manual_site.links import broken_in_site, broken_in_source
from manual_site.reference import REFERENCES, shown, written

MOST_LINES_OF_README = 120
MOST_LINES = 160
LOOKED_UP = {"bench.md", "bench-file.md", "bootloader-guide.md", "configuration.md", "screen.md", "simulation.md"}
"""Pages that nobody reads from their beginning to their end."""


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    assert list(broken_in_source(path)) == []


def test_every_page_is_in_the_contents() -> None:
    """So that it is on the site; Sphinx asks the same, later."""
    listed = (DOCS / "index.md").read_text().splitlines()
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")} - {"index"}
    assert sorted(pages - set(listed)) == []


def test_pages_are_short() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in PAGES}
    assert lengths.pop("README.md") <= MOST_LINES_OF_README
    assert [name for name, lines in lengths.items() if lines > MOST_LINES and name not in LOOKED_UP] == []


@pytest.mark.parametrize(("schema", "page"), REFERENCES.items())
def test_a_reference_has_the_keys_that_there_are(schema: str, page: str) -> None:
    assert shown(schema, (DOCS / page).read_text()) == written(schema), "`make docs` writes it anew"


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("[a](other.md)", []),
        ("[a](other.md#second-part-of-it)", []),
        ("[a](#first)", []),
        ("[a](https://example.invalid/x)", []),
        ("`[a](none.md)`", []),
        ("[a](none.md)", ["none.md"]),
        ("![a](none.svg)", ["none.svg"]),
        ("[a](other.md#third)", ["other.md#third"]),
        ("[a](#third)", ["#third"]),
        ("[`code`](none.md)", ["none.md"]),
    ],
)
def test_a_planted_link_is_found(tmp_path: Path, link: str, broken: list[str]) -> None:
    (tmp_path / "page.md").write_text(f"# First\n\n{link}\n\n```sh\n[a](in-code.md)\n```\n")
    (tmp_path / "other.md").write_text("# Other\n\n## Second part, of it\n")
    assert list(broken_in_source(tmp_path / "page.md")) == broken


def test_a_planted_link_is_found_in_a_built_site(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#x"></a><a href="b.html#y"></a><img src="c.svg"><a href="#top"></a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="x"></h1><a href="https://example.invalid/"></a>')
    assert list(broken_in_site(tmp_path)) == ["a.html: b.html#y", "a.html: c.svg"]
