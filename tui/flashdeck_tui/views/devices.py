"""Devices that are no board, as rows and lines. Pure."""

from collections.abc import Iterable

from flashdeck.model import DeviceState
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.glyphs import BoardGlyph
from flashdeck_tui.store import Selection
from flashdeck_tui.views.cells import Row, Spans, short_name, whole_text


def device_row(device: DeviceState, host: str = "", columns: int = 2) -> Row:
    """Return the row of a device, with so many cells: it is listed, and never touched."""
    glyph = BoardGlyph.NO_BOARD.value
    name = short_name(device.product or "unknown device")
    where = ", ".join(short_name(text) for text in (device.usb_id, device.port, device.serial) if text)
    return Row(
        Selection(device=device.port),
        (
            Spans(
                (
                    Phrase(f"{glyph.symbol} ", glyph.tone),
                    Phrase(f"{short_name(host)}/{name}" if host else name, Tone.WAIT),
                )
            ),
            *[Phrase("")] * (columns - 2),
            Phrase(f"no board: {where}; {whole_text(device.note or 'not configured: never touched')}", Tone.WAIT),
        ),
        is_long=True,
    )


def device_details(device: DeviceState) -> Iterable[Phrase]:
    """Yield all about a device, and how it becomes a board."""
    told = f"{short_name(device.product or 'device')} {short_name(device.usb_id)}: {whole_text(device.note)}"
    yield Phrase(told, Tone.WAIT)
    yield Phrase(
        f"It is listed and never touched. 'flashdeck adopt {short_name(device.port)}' makes it a board; "
        "'flashdeck suggest' prints it as configuration.",
        Tone.STRONG,
    )
