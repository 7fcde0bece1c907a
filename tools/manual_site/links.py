"""The links of pages: those between files of the tree as they are written, and those of the site as it was built."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`|<!--.*?-->", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"(?m)^#{1,6} (.+)$")


def broken_in_source(page: Path) -> Iterator[str]:
    """Yield each local link of a page of Markdown that leads to no file, or to no heading of it."""
    for found in _LINK.finditer(_CODE.sub(_without_links, page.read_text())):
        target = found[1]
        where = urlsplit(target)
        if where.scheme or where.netloc:
            continue
        path = page.parent / unquote(where.path) if where.path else page
        if not path.exists() or (where.fragment and where.fragment not in anchors(path.read_text())):
            yield target


def anchors(markdown: str) -> set[str]:
    """Return the names by which GitHub, and the site, know the headings of a page."""
    headings = _HEADING.findall(re.sub(r"(?ms)^ *```.*?^ *```", "", markdown))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_in_site(root: Path) -> Iterator[str]:
    """Yield each link of a built site, as `PAGE: TARGET`, that leads to nothing in it."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    for path, page in pages.items():
        for target in page.targets:
            where = urlsplit(target)
            if where.scheme or where.netloc:
                continue
            found = (path.parent / unquote(where.path)).resolve() if where.path else path
            to = pages.get(found)
            if not found.is_file() or (where.fragment and to is not None and where.fragment not in to.ids):
                yield f"{path.relative_to(root)}: {target}"


def _without_links(code: re.Match[str]) -> str:
    return "" if "](" in code[0] else code[0]


class _Page(HTMLParser):
    """What a page links to, and what may be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a tag says."""
        said = {name: value for name, value in attrs if value}
        self.ids |= {said[name] for name in ("id", "name") if name in said}
        self.targets += [said[name] for name in ("href", "src") if name in said and tag != "base"]
