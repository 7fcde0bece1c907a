"""A view whose texts have tones, and the colours of these: in one place for all lists and pages."""

from typing import ClassVar

from rich.style import Style
from textual.scroll_view import ScrollView
from textual.style import Style as VisualStyle

from flashdeck.words.tone import Tone


class TonedView(ScrollView):
    """Draws its lines itself, in the styles of its component classes; `tone--…` is that of a tone."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in Tone}
    DEFAULT_CSS = """
    TonedView {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        .tone--strong { text-style: bold; }
        .tone--faint { color: $foreground 60%; }
        .tone--good { color: $text-success; }
        .tone--wait { color: $text-warning; }
        .tone--bad { color: $text-error; text-style: bold; }
        .tone--busy { color: $text-primary; text-style: bold; }
        &:ansi .tone--faint { color: ansi_default; text-style: dim; }
        &:ansi .tone--good { color: ansi_green; }
        &:ansi .tone--wait { color: ansi_yellow; }
        &:ansi .tone--bad { color: ansi_red; }
        &:ansi .tone--busy { color: ansi_cyan; text-style: bold; }
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._drawn_styles: dict[tuple[str, ...], Style] = {}

    def notify_style_update(self) -> None:
        """Another theme, or the focus came or went."""
        super().notify_style_update()
        self._drawn_styles.clear()

    def drawn_style(self, *names: str) -> Style:
        """Return the style of the view with those of these component classes laid over it, one by one."""
        if names not in self._drawn_styles:
            style, text = self.visual_style, Style()
            for name in names:
                rules = self.get_component_styles(name)
                style += VisualStyle(
                    background=rules.background if rules.has_rule("background") else None,
                    foreground=rules.color if rules.has_rule("color") else None,
                )
                text += rules.text_style
            self._drawn_styles[names] = style.rich_style + text
        return self._drawn_styles[names]
