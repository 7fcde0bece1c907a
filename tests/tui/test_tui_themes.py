"""The colours of the screen: that they can be read, that they are kept, and how it is without any."""

import re
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from rich.cells import cell_len
from textual.color import Color
from textual.screen import ModalScreen

from flashdeck.config_screen import ThemeName
from flashdeck.errors import FlashdeckError
from flashdeck.words.tone import Tone
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.kept_theme import MOST_BYTES, keep_theme, kept_theme
from flashdeck_tui.locale_text import shows_only_ascii
from flashdeck_tui.settings import Settings, load_settings
from flashdeck_tui.store import Selection
from flashdeck_tui.widgets.key_bar import KeyBar
from flashdeck_tui.widgets.rows import Rows
from slot_scene import LOT, slots
from tui_scene import HOSTILE, make_app

LEAST = {ThemeName.DARK: 4.2, ThemeName.LIGHT: 4.2, ThemeName.HIGH_CONTRAST: 7.0}
"""The ratio of brightness that text and background are to have; 7 is that of WCAG 2.2, 1.4.6."""


def brightness(color: Color) -> float:
    """The relative luminance (WCAG 2.2)."""
    parts = [part / 255 for part in (color.r, color.g, color.b)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    darker, brighter = sorted((brightness(one), brightness(other)))
    return (brighter + 0.05) / (darker + 0.05)


def with_settings(settings: Settings) -> FlashdeckApp:
    app, _ = make_app(slots(24, LOT))
    return FlashdeckApp(app.fleet, settings=settings, clock=app.clock)


@pytest.mark.parametrize("theme", LEAST)
async def test_every_tone_can_be_read_in_every_row(theme: ThemeName) -> None:
    app = with_settings(Settings(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        boards = app.main.query_one("#boards", Rows)
        assert boards.has_focus
        for tone, over in product(Tone, ((), ("rows--cursor",))):
            style = boards.drawn_style(*over, f"tone--{tone}")
            assert style.color is not None
            assert style.bgcolor is not None
            found = contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))
            assert found >= LEAST[theme], (tone, over, style, found)


async def chosen(app: FlashdeckApp, name: str) -> None:
    await app.context().use_theme(ThemeName(name))


async def test_a_theme_that_was_chosen_is_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "state" / "screen.json"
    app = with_settings(Settings(theme_file=file))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        app.action_act("theme")
        await pilot.pause()
        await pilot.press("j", "enter")
        workers = cast("Any", app.workers)
        await workers.wait_for_complete([each for each in workers if each.group == "actions"])
        assert app.theme == "light"
    assert kept_theme(file) is ThemeName.LIGHT
    assert (file.parent.stat().st_mode & 0o777) == 0o700
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_configured_theme_wins_and_says_so() -> None:
    app = with_settings(Settings(theme=ThemeName.LIGHT, theme_is_set=True))
    assert '[tui] theme = "light"' in (app.why_no_theme or "")
    assert "NO_COLOR" in (with_settings(Settings(colour=False)).why_no_theme or "")
    assert with_settings(Settings()).why_no_theme is None


def test_settings_need_no_file_and_take_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    utf8 = {"LANG": "C.UTF-8"}
    usual = load_settings(utf8)
    assert usual == Settings(theme_file=tmp_path / "state" / "flashdeck" / "screen.json")
    assert usual.theme_file is not None
    keep_theme(usual.theme_file, ThemeName.HIGH_CONTRAST)
    assert load_settings(utf8).theme is ThemeName.HIGH_CONTRAST
    file = tmp_path / "config" / "flashdeck" / "flashdeck.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        'profiles = "no business of the screen"\n[tui]\ntheme = "light"\nascii = true\nkeys = { hold = "f6" }\n'
    )
    settings = load_settings(utf8 | {"NO_COLOR": "1"})
    assert (settings.theme, settings.theme_is_set, settings.ascii) == (ThemeName.LIGHT, True, True)
    assert (settings.colour, settings.keys) == (False, {"hold": "f6"})
    file.write_text("[tui]\nthem = 1\n")
    with pytest.raises(FlashdeckError, match=r"flashdeck\.toml:2: \[tui\] them: unknown key") as refused:
        load_settings(utf8)
    assert "did you mean theme?" in refused.value.advice


@pytest.mark.parametrize("text", [b"", b"{", b'{"theme": "mauve"}', b"[]", b" " * MOST_BYTES + b'{"theme": "light"}'])
def test_a_file_of_no_use_is_as_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "screen.json").write_bytes(text)
    assert kept_theme(tmp_path / "screen.json") is None
    assert kept_theme(tmp_path / "none.json") is None


def test_so_much_of_the_file_is_looked_at(tmp_path: Path) -> None:
    text = b'{"theme":"light"}'
    (tmp_path / "screen.json").write_bytes(b" " * (MOST_BYTES - len(text)) + text)
    assert kept_theme(tmp_path / "screen.json") is ThemeName.LIGHT


def test_a_theme_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FlashdeckError):
        keep_theme(tmp_path / "file" / "screen.json", ThemeName.LIGHT)


@pytest.mark.parametrize(
    ("environ", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # what Python makes of it
        ({"LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX"}, True),
        ({"LANG": "en_US.ISO-8859-1"}, True),
        ({"LANG": "de_DE@euro"}, True),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.utf8@euro"}, False),
        ({"LC_CTYPE": "UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True),
        ({"LANG": "C", "LC_CTYPE": "en_GB.UTF-8", "LC_ALL": ""}, False),
    ],
)
def test_the_locale_says_what_can_be_shown(environ: dict[str, str], ascii_only: bool) -> None:
    assert shows_only_ascii(environ) is ascii_only


def test_what_is_no_ascii_gets_a_stand_in_of_its_width() -> None:
    text = "▸ Grüße … ─│┌┐└┘├┤╭╮ 漢字 \u202e é\u0301 ●○ 1.0.1→1.0.2 \x1b[1m█░\x1b[0m"
    found = to_ascii(text)
    assert found.isascii()
    assert cell_len(re.sub(r"\x1b\[[0-9]+m", "", found)) == cell_len(re.sub(r"\x1b\[[0-9]+m", "", text))
    assert ") Gru" in found
    assert "-|++++++++" in found
    assert "\x1b[1m#.\x1b[0m" in found
    assert to_ascii(HOSTILE).isascii()


async def test_without_colour_styles_and_signs_tell_everything() -> None:
    app = with_settings(Settings(colour=False))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        app.main.query_one("#boards", Rows).select(Selection(board="right"))
        await pilot.press("f")
        await pilot.pause()
        styles = [segment.style for strip in strips(app) for segment in strip if segment.style]
        assert styles
        assert not [style for style in styles if style.color or style.bgcolor]
        assert [style for style in styles if style.reverse]  # the answer that Enter takes


def strips(app: FlashdeckApp) -> Any:
    return cast("Any", app.screen)._compositor.render_strips()


def unreadable(app: FlashdeckApp, least: float, *, with_keys: bool) -> list[tuple[str, float, str]]:
    """The texts of what is on top that are not bright enough beside what is behind them; lines of borders are none.

    What lies faint behind a question is left out, and without `with_keys` so are keys that do nothing now.
    """
    top = app.screen.children[-1].region if isinstance(app.screen, ModalScreen) else app.screen.region
    lines = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage] - nobody else knows
    keys = {y for bar in app.screen.query(KeyBar) for y in range(bar.region.y, bar.region.bottom)}
    found: list[tuple[str, float, str]] = []
    for y in range(top.y, top.bottom):
        for segment in () if y in keys and not with_keys else lines[y].crop(top.x, top.right):
            style, text = segment.style, segment.text.strip(" ─│╭╮╰╯━┃▔▁▂▃▄▅▆▇█▌▐▎▊▕▏╸╺")
            if not text or style is None or style.color is None or style.bgcolor is None:
                continue
            front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            if (ratio := contrast(front, back)) < least:
                found.append((text, round(ratio, 1), f"{front.hex} on {back.hex}"))
    return found


PLACES = {
    "boards": (),
    "partition": ("right", "right"),
    "queue": ("2", "j"),
    "wall": ("w", "l"),
    "log": ("3", "g", "j", "shift+down"),
    "map": ("m",),
    "history": ("h",),
    "help": ("question_mark",),
    "picker": ("f",),
    "filter": ("slash", "x", "shift+home"),
    "slots": ("4",),
    "messages": ("L", "exclamation_mark"),
}


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("theme", LEAST)
async def test_every_text_of_every_place_can_be_read(theme: ThemeName, place: str) -> None:
    app = with_settings(Settings(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        app.main.select(Selection(board="bench-1"))
        await pilot.press(*PLACES[place])
        await pilot.pause(0.3)
        with_keys = theme is ThemeName.HIGH_CONTRAST
        assert unreadable(app, LEAST[theme], with_keys=with_keys) == []
