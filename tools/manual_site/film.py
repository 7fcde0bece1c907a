"""A recording of a terminal as one animated SVG, that a browser plays wherever a picture may stand (pure).

Every line that is ever on the screen is drawn once; a frame only says which line is where. People who ask their system
for less motion see the frame that is marked as the still one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_GROUND, _LETTERS = (24, 24, 24), (216, 216, 216)
COLOURS = TerminalTheme(
    _GROUND,
    _LETTERS,
    [
        *(_GROUND, (224, 108, 117), (126, 198, 153), (229, 192, 123)),
        *((97, 150, 240), (198, 120, 221), (86, 182, 194), _LETTERS),
    ],
)
"""Those of a dark terminal, whose black is its ground."""

COLUMN, LINE = 8.4, 18
"""Pixels of a character."""
FONT_SIZE = 14
MARGIN = 12
CAPTION = 34
"""Pixels of the line below the screen that says what is done."""
_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_FADED = 0.65
_TOP = LINE - 4.5
"""Pixels from the top of a line to its base line."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The screen for a while, as a terminal would have been sent it."""

    screen: str
    """Lines with ANSI sequences."""
    seconds: float
    caption: str = ""


def film(frames: Sequence[Frame], *, columns: int, lines: int, still: int, title: str) -> str:
    """Return the SVG of frames that follow each other again and again; `still` is the number of the still one."""
    width, height = columns * COLUMN + 2 * MARGIN, lines * LINE + 2 * MARGIN + CAPTION
    drawn: dict[str, int] = {}
    pictures = [_frame(each, columns, lines, drawn) for each in frames]
    total = sum(each.seconds for each in frames)
    symbols = (f'<g id="l{number}">{line}</g>' for line, number in drawn.items())
    playing = f"animation:play {total:g}s steps(1,end) infinite"
    strip = (f'<g transform="translate({number * width:g})">{each}</g>' for number, each in enumerate(pictures))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
            f"<title>{escape(title)}</title>",
            "<style>",
            f"text{{font:{FONT_SIZE}px {_FONTS};white-space:pre}}",
            f".c{{font-family:system-ui,sans-serif;fill:{_hex(COLOURS.foreground_color)}}}",
            f"#film{{transform:translate({-still * width:g}px)}}",
            f"@media (prefers-reduced-motion:no-preference){{#film{{{playing}}}}}",
            f"@keyframes play{{{''.join(_steps(frames, width, total))}}}",
            "</style>",
            f"<defs>{''.join(symbols)}</defs>",
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{_hex(COLOURS.background_color)}"/>',
            f'<g id="film">{"".join(strip)}</g>',
            "</svg>\n",
        )
    )


def _steps(frames: Iterable[Frame], width: float, total: float) -> Iterator[str]:
    """Yield the time at which each frame comes into the window, and the end."""
    at, place = 0.0, 0.0
    for number, frame in enumerate(frames):
        place = -number * width
        yield f"{100 * at / total:.3f}%{{transform:translate({place:g}px)}}"
        at += frame.seconds
    yield f"100%{{transform:translate({place:g}px)}}"


def _frame(frame: Frame, columns: int, lines: int, drawn: dict[str, int]) -> str:
    """Return one frame: which line is where. Adds those to `drawn` that were not there yet."""
    uses: list[str] = []
    for number, text in enumerate(list(AnsiDecoder().decode(frame.screen))[:lines]):
        text.truncate(columns)
        line = "".join(_line(text))
        if line:
            name = drawn.setdefault(line, len(drawn))
            uses.append(f'<use href="#l{name}" x="{MARGIN}" y="{MARGIN + number * LINE}"/>')
    if frame.caption:
        base = MARGIN + lines * LINE + CAPTION / 2 + FONT_SIZE / 2
        uses.append(f'<text class="c" x="{MARGIN}" y="{base:g}">{escape(frame.caption)}</text>')
    return "".join(uses)


def _line(text: Text) -> Iterator[str]:
    """Yield the grounds and the letters of a line, a piece for each style."""
    column = 0
    for segment in text.render(Console(color_system="truecolor", width=500), end=""):
        length, style = len(segment.text), segment.style or Style()
        letters, ground = _colours(style)
        if ground:
            yield f'<rect x="{column * COLUMN:g}" width="{length * COLUMN:g}" height="{LINE}" fill="{ground}"/>'
        if segment.text.strip():
            said = "".join(
                (
                    f' fill="{letters}"',
                    ' font-weight="bold"' if style.bold else "",
                    f' opacity="{_FADED}"' if style.dim else "",
                    ' text-decoration="underline"' if style.underline else "",
                )
            )
            start = length - len(segment.text.lstrip())
            shown = segment.text.strip()
            yield (
                f'<text x="{(column + start) * COLUMN:g}" y="{_TOP:g}" textLength="{len(shown) * COLUMN:g}"{said}>'
                f"{escape(shown)}</text>"
            )
        column += length


def _colours(style: Style) -> tuple[str, str]:
    """Return the colours of letters and ground; "" for a ground that is the screen's own."""
    letters = _of(style.color, foreground=True)
    ground = _of(style.bgcolor, foreground=False)
    if style.reverse:
        return ground, letters
    own = _hex(COLOURS.background_color)
    return letters, "" if ground == own else ground


def _of(colour: Color | None, *, foreground: bool) -> str:
    if colour is None:
        return _hex(COLOURS.foreground_color if foreground else COLOURS.background_color)
    return _hex(colour.get_truecolor(COLOURS, foreground=foreground))


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
