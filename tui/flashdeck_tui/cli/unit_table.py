"""Slots, units and lots as tables, and units as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from flashdeck.slot_condition import SlotPassed
from flashdeck.slot_state import LotState, SlotState, UnitRecord, UnitResult
from flashdeck.words.contents import image_name
from flashdeck.words.jobs import verified_word
from flashdeck.words.slots import failure_text, passed_word, share_text, slot_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.verdicts import verdict_word
from flashdeck_tui.cli import words
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.cli.when import shown

CSV_HEAD = (
    *("unit", "slot", "lot", "serial", "began", "decided", "left", "result", "kind", "reason"),
    *("verified", "verdict", "partitions", "versions", "sha256"),
)
"""The columns of units as CSV. Times are UTC; of a unit with several images the last three have one word for each."""
_RESULTS = {
    UnitResult.NONE: Phrase("not done", Tone.WAIT),
    UnitResult.FAILED: Phrase("FAIL", Tone.BAD),
    UnitResult.LEFT: Phrase("left", Tone.FAINT),
    UnitResult.OTHER: Phrase("other"),
}


def slot_table(slots: Sequence[SlotState]) -> str:
    """The slots, each with the unit in it."""
    rows: list[list[str | Cell]] = [
        [
            slot.name,
            slot.port,
            words.cell(_state(slot)),
            str(slot.unit.id) if slot.unit is not None else words.NOTHING,
            (slot.unit.serial if slot.unit is not None else "") or words.NOTHING,
            slot.lot or words.NOTHING,
            slot.text,
        ]
        for slot in slots
    ]
    return table(["SLOT", "PORT", "STATE", "UNIT", "SERIAL", "LOT", "DETAIL"], rows)


def lot_table(lots: Sequence[LotState]) -> str:
    """The lots, with how far each is."""
    rows: list[list[str | Cell]] = [
        [
            lot.name,
            image_name(lot.version, lot.sha256),
            lot.partition,
            *(Cell(str(number), right=True) for number in (lot.count, lot.passed, lot.failed)),
            share_text(lot.good_share),
            _progress(lot),
        ]
        for lot in lots
    ]
    return table(["LOT", "IMAGE", "PARTITION", "COUNT", "PASSED", "FAILED", "YIELD", "STATE"], rows)


def unit_table(units: Sequence[UnitRecord]) -> str:
    """The records of units."""
    rows: list[list[str | Cell]] = [
        [
            Cell(str(unit.id), right=True),
            unit.slot,
            unit.serial or words.NOTHING,
            unit.lot or words.NOTHING,
            words.cell(_result(unit)),
            shown(unit.decided_at or unit.began_at),
            _detail(unit),
        ]
        for unit in units
    ]
    return table(["UNIT", "SLOT", "SERIAL", "LOT", "RESULT", "WHEN", "DETAIL"], rows)


def units_as_csv(units: Iterable[UnitRecord], *, head: bool) -> str:
    """Units as CSV (RFC 4180), with a line of titles where it is the first piece."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(CSV_HEAD)
    for unit in units:
        failure, images = unit.failure, unit.images
        writer.writerow(
            [_harmless(str(each)) for each in (unit.id, unit.slot, unit.lot, unit.serial)]
            + [_utc(at) for at in (unit.began_at, unit.decided_at, unit.left_at)]
            + [
                str(unit.result),
                str(failure.kind) if failure else "",
                _harmless(failure_text(failure)) if failure else "",
            ]
            + [verified_word(unit.verified), str(unit.verdict.verdict) if unit.verdict is not None else ""]
            + [" ".join(each) for each in ([i.partition for i in images], [_harmless(i.version) for i in images])]
            + [" ".join(image.sha256 for image in images)]
        )
    return text.getvalue()


def _harmless(text: str) -> str:
    """Return a text of a device so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _utc(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _progress(lot: LotState) -> str:
    if lot.ended_at is not None:
        return f"ended {shown(lot.ended_at)}"
    return "complete: no unit beyond is flashed" if lot.is_complete else f"began {shown(lot.begun_at)}"


def _state(slot: SlotState) -> Phrase:
    condition = slot.condition
    return passed_word(condition.verified) if isinstance(condition, SlotPassed) else slot_word(condition)


def _result(unit: UnitRecord) -> Phrase:
    return passed_word(unit.verified) if unit.result is UnitResult.PASSED else _RESULTS[unit.result]


def _detail(unit: UnitRecord) -> str:
    images = ", ".join(image_name(image.version, image.sha256) for image in unit.images)
    if unit.failure is not None:
        return "; ".join(filter(None, (failure_text(unit.failure), images)))
    verdict = verdict_word(unit.verdict.verdict).text if unit.verdict is not None else ""
    verified = verified_word(unit.verified) if unit.result is UnitResult.PASSED else ""
    return ", ".join(filter(None, (images, verified, verdict)))
