"""The page, and what a browser is told of it. Pure.

Nothing on it is of another machine: scripts, styles and the font come from textual-serve's files beside it.
"""

from html import escape
from typing import Final

from flashdeck_tui.browser.door import Door

STYLE_NAME: Final = "page.css"
"""The path of its style."""
SCRIPT_NAME: Final = "page.js"
"""The path of its own script."""
_HEADERS: Final = {
    # The address has the token in it: it goes nowhere, and nothing of the page is kept.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "clipboard-read=(), camera=(), geolocation=(), microphone=(), usb=(), serial=()",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; font-src 'self'; img-src 'self' data:; connect-src {screen}; "
    # The terminal sets the styles of its lines itself.
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STYLE: Final = """
@font-face { font-family: "Roboto Mono"; src: url("static/fonts/RobotoMono-VariableFont_wght.ttf"); }
html, body { height: 100%; margin: 0; overflow: hidden; background: #121212; color: #e0e0e0; }
body { font: 16px "Roboto Mono", monospace; }
a { color: inherit; }
.textual-terminal { width: 100vw; height: 100vh; }
.starting, .ended { position: absolute; top: 40%; width: 100%; text-align: center; }
.ended { display: none; z-index: 10; padding: 1em 0; background: #121212; }
body.-first-byte .starting, body.-closed .starting { display: none; }
body.-closed .ended { display: block; }
"""
SCRIPT: Final = """// The keyboard is the terminal's as soon as there is something to see, without a click.
new MutationObserver((_changes, watcher) => {
  if (document.body.classList.contains("-first-byte")) {
    watcher.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
"""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/css/xterm.css">
<link rel="stylesheet" href="{style}">
<script src="static/js/textual.js"></script>
</head>
<body>
<p class="starting">Starting the screen …</p>
<div class="ended"><p>The screen was closed.</p><p><a href="">Open it again</a></p></div>
<div class="textual-terminal" data-session-websocket-url="{screen}" data-font-size="16"></div>
<script src="{script}"></script>
</body>
</html>
"""


def headers(door: Door) -> dict[str, str]:
    """Return what goes with every answer."""
    return {**_HEADERS, "Content-Security-Policy": _POLICY.format(screen=f"ws://{door.authority}")}


def page(door: Door, title: str) -> str:
    """Return the page, with a title for its window."""
    return _PAGE.format(title=escape(title), style=STYLE_NAME, script=SCRIPT_NAME, screen=escape(door.screen_url))
