"""Writes the references of docs anew, builds the site in `build/docs`, and follows each link of it."""

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from manual_site.links import broken_in_site
from manual_site.reference import DOCS, renew

HERE = Path(__file__).resolve().parent
SITE = DOCS.parent / "build" / "docs"


def main() -> int:
    """Return 0 where the site is whole."""
    for path in renew():
        print(f"{path.name}: its reference is written anew")
    status = build_main(
        ["-q", "-W", "--keep-going", "-E", "-c", str(HERE), "-d", f"{SITE}.doctrees", str(DOCS), str(SITE)]
    )
    broken = list(broken_in_site(SITE))
    for link in broken:
        print(f"leads nowhere: {link}", file=sys.stderr)
    if not status and not broken:
        print(f"{SITE}/index.html")
    return status or bool(broken)


sys.exit(main())
