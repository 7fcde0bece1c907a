"""Plans as lines for a person. Pure."""

from collections.abc import Iterable, Iterator

from flashdeck.api import BoardPlan, PlanStep
from flashdeck.text import clean, counted, format_size, short_sha
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.plan_steps import WITHOUT_BYTES, folded
from flashdeck_tui.views.cells import whole_text

MOST_PLANS = 100
"""Plans that are shown of one answer."""


def plan_lines(plans: Iterable[BoardPlan]) -> list[Phrase]:
    """Return what each plan would do, one board after the other."""
    lines: list[Phrase] = []
    for plan in list(plans)[:MOST_PLANS]:
        lines += [Phrase(""), *_plan(plan)] if lines else _plan(plan)
    return lines or [Phrase("there is nothing to plan")]


def _plan(plan: BoardPlan) -> Iterator[Phrase]:
    what = f"{short_sha(clean(plan.sha256))} into" if plan.sha256 else "erase"
    yield Phrase(clean(f"{plan.board}: {what} {plan.partition}"), Tone.STRONG)
    if plan.blocked:
        yield Phrase(whole_text(f"would not start: {plan.blocked}"), Tone.BAD)
    for run, pieces in folded(plan.steps):
        yield Phrase(_step(run, pieces))
    if plan.steps:
        yield Phrase(_costs(plan))
    if plan.protection:
        yield Phrase(whole_text(f"protection: {plan.protection}"))
    yield from (Phrase(whole_text(f"note: {note}"), Tone.WAIT) for note in plan.notes)


def _step(run: list[PlanStep], pieces: int) -> str:
    """Return a run of steps in a line, as "erase 13: 0x08020000 to 0x08039fff, 104 KiB"."""
    first, last = run[0], run[-1]
    words = f"  {first.action}"
    if first.action not in WITHOUT_BYTES and (size := sum(step.size for step in run)):
        where = f"0x{first.address:08x} to 0x{last.address + last.size - 1:08x}"
        places = f" in {pieces} pieces" if pieces > 1 else ""
        words += f" {len(run)}: {where}{places}, {format_size(size)}"
    return whole_text(f"{words}; on error: {first.note}" if first.note else words)


def _costs(plan: BoardPlan) -> str:
    words = [counted(plan.erases, "erase"), counted(plan.blocks, "block"), counted(plan.requests, "request")]
    if plan.unchanged:
        words.append(f"{format_size(plan.unchanged)} left alone")
    if plan.erased_beside:
        words.append(f"{format_size(plan.erased_beside)} erased beside the image")
    return ", ".join(words)
