"""The states of a job in words. Pure."""

from typing import Final, assert_never

from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Canceller,
    DeviceWork,
    Done,
    Failed,
    HookRun,
    JobKind,
    JobResult,
    JobStatus,
    Origin,
    Phase,
    PhaseTimes,
    Queued,
    Running,
    Superseded,
    Unknown,
    Verified,
    WaitFor,
    Waiting,
    Written,
    name_of,
)
from flashdeck.text import clean, counted, format_age, format_duration, format_size
from flashdeck.verdict import Judgement
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.verdicts import judgement_text

_PHASES: Final = {
    Phase.DETACH: "entering DFU mode",
    Phase.OPEN: "opening",
    Phase.COMPARE: "comparing",
    Phase.ERASE: "erasing",
    Phase.WRITE: "writing",
    Phase.VERIFY: "verifying",
    Phase.READ: "reading",
    Phase.BOOT_UNIT: "boot unit",
    Phase.LEAVE: "leaving DFU mode",
    Phase.START: "starting",
    Phase.OTHER: "working",
}
_WORK: Final = {
    Phase.DETACH: "detach",
    Phase.OPEN: "open",
    Phase.COMPARE: "compare",
    Phase.ERASE: "erase",
    Phase.WRITE: "write",
    Phase.VERIFY: "verify",
    Phase.READ: "read",
    Phase.BOOT_UNIT: "boot unit",
    Phase.LEAVE: "leave",
    Phase.START: "start",
}
_WORKS: Final = {
    DeviceWork.ADDRESS: "setting an address",
    DeviceWork.BLOCK: "this block",
    DeviceWork.ERASE: "this erase",
    DeviceWork.END: "the end of the image",
    DeviceWork.OTHER: "what it does now",
}
_VERIFIED: Final = {
    Verified.YES: "verified",
    Verified.NO: "not verified",
    Verified.OTHER: "verification unknown",
}
LONGEST_STATE: Final = 24
"""Characters kept of the name of a state that only a newer daemon knows."""
_ORIGINS: Final = {
    Origin.BUILD: "asked for by a build",
    Origin.HAND: "asked for by hand",
    Origin.FLASHDECK: "asked for by flashdeck itself",
    Origin.OTHER: "asked for otherwise",
}
SILENCE: Final = 3.0
"""Seconds without an answer from which on it is said; a busy board answers more often."""
_OFF_THE_BUS: Final = frozenset((Phase.DETACH, Phase.LEAVE, Phase.START))
"""Phases in which the board restarts and answers nobody."""
_MEASURED: Final = frozenset((Phase.COMPARE, Phase.ERASE, Phase.WRITE, Phase.VERIFY, Phase.READ))
_AWAITS_LEAVE: Final = {
    JobKind.FLASH: "written",
    JobKind.VERIFY: "compared",
    JobKind.READ: "read",
    JobKind.ERASE: "erased",
    JobKind.RESET: "leaving DFU mode",
}
"""The word for a job that only has to wait for the end of the visit."""
AT_THE_BOARD: Final = "at the board: "
"""The words before what a person has to do there."""
_CANCELLERS: Final = {
    Canceller.PERSON: "by hand",
    Canceller.CLIENT: "because the client that asked for it is gone",
    Canceller.CONFIGURATION: "because it is no longer a target in the configuration",
    Canceller.OTHER: "",
}


def status_word(status: JobStatus, kind: JobKind = JobKind.FLASH) -> Phrase:
    """Return the one word of a job's state, for a narrow column."""
    match status:
        case Running():
            return Phrase(phase_word(status.phase), Tone.BUSY)
        case Waiting(for_=WaitFor.HOLD):
            return Phrase("on hold", Tone.WAIT)
        case Written():
            return Phrase(phase_word(status.phase) if status.phase else _AWAITS_LEAVE.get(kind, "written"), Tone.BUSY)
        case Queued():
            return Phrase(name_of(status), Tone.PLAIN)
        case Unknown():
            return Phrase(clean(status.name, LONGEST_STATE) or name_of(status), Tone.PLAIN)
        case Waiting() | Blocked():
            return Phrase(name_of(status), Tone.WAIT)
        case Done():
            return Phrase("done", Tone.WAIT if status.not_started else Tone.GOOD)
        case Failed():
            return Phrase("failed", Tone.BAD)
        case Superseded() | Cancelled():
            return Phrase(name_of(status), Tone.FAINT)
        case _:
            assert_never(status)


def status_detail(status: JobStatus, kind: JobKind = JobKind.FLASH) -> str:
    """Return what there is to say of a job's state beside its word; "" where that is nothing."""
    match status:
        case Queued():
            return status.note
        case Running():
            return f"{percent(status)} %" if is_measured(status) else ""
        case Written():
            return "" if status.phase else status.reason or "starts after what else is queued for the board"
        case Waiting() | Blocked():
            return status.reason
        case Done():
            told = result_text(status.result, kind, status.verdict) if status.result else _without_counts(status)
            return "; ".join(
                part for part in (told, status.not_started and f"not started: {status.not_started}") if part
            )
        case Failed():
            return status.failure.message
        case Superseded():
            return f"by job {status.by}" if status.by else "the board has the newest build already"
        case Cancelled():
            return _cancelled_detail(status)
        case Unknown():
            return status.text
        case _:
            assert_never(status)


def _cancelled_detail(status: Cancelled) -> str:
    if status.by is Canceller.CONFIGURATION and status.reason:
        return f"because {status.reason}"
    return "; ".join(part for part in (_CANCELLERS[status.by], status.reason) if part)


def status_hint(status: JobStatus) -> str:
    """Return what a person can do about a state; "" where that is nothing."""
    match status:
        case Waiting(for_=WaitFor.HAND | WaitFor.ABSENT, hint=hint) if hint:
            return f'{AT_THE_BOARD}"{hint}"'  # in quotation marks: "hold SW2" is no hold
        case Waiting() | Blocked():
            return status.hint
        case Failed():
            return status.failure.hint
        case _:
            return ""


def todo_text(status: JobStatus) -> str:
    """Return what a person can do about a state, in a sentence; "" where that is nothing."""
    hint = status_hint(status)
    return f"To do {hint}" if hint.startswith(AT_THE_BOARD) else f"To do: {hint}" if hint else ""


def status_text(status: JobStatus, kind: JobKind = JobKind.FLASH) -> str:
    """Return a job's state in a sentence: its word and its detail."""
    word, detail = status_word(status, kind).text, status_detail(status, kind)
    match status:
        case Running():
            return ", ".join(part for part in (f"{word} {detail}".strip(), claim_text(status)) if part)
        case Superseded() | Cancelled():
            return f"{word} {detail}".strip()
        case Unknown():
            return detail or word
        case _:
            return f"{word}: {detail}" if detail else word


def origin_text(origin: Origin) -> str:
    """Return who asked for a job."""
    return _ORIGINS[origin]


def phase_word(phase: Phase) -> str:
    """Return what a job does in a phase."""
    return _PHASES[phase]


def verified_word(verified: Verified) -> str:
    """Return if contents were read back and compared."""
    return _VERIFIED[verified]


def phase_noun(phase: Phase) -> str:
    """Return the name of a phase's work, as in "erase 1.2 s"."""
    return _WORK.get(phase, phase_word(phase))


def times_text(times: PhaseTimes) -> str:
    """Return how long each phase took, as "erase 1.2 s, write 3.4 s"; "" where nothing was measured."""
    return ", ".join(f"{word} {format_duration(times.of(phase))}" for phase, word in _WORK.items() if times.of(phase))


def hook_text(hook: HookRun) -> str:
    """Return what became of the command that ran at a job's end, in a sentence."""
    took = f" after {format_duration(hook.seconds)}" if hook.seconds else ""
    said = f": {hook.output[-1]}" if hook.output else ""
    return f"hook {hook.name} {hook.ending}{took}{said}"


def is_measured(status: Running) -> bool:
    """Tell whether the phase has a length that is known."""
    return status.phase in _MEASURED and status.total > 0


def claim_text(status: JobStatus) -> str:
    """Return that a running job's board claims time for its work, and how much; "" where it claims none."""
    if not isinstance(status, Running) or status.claim is None:
        return ""
    claim = status.claim
    said = f"the board claims {_length(claim.seconds)} for {_WORKS[claim.work]}"
    return said if claim.waits >= claim.seconds else f"{said} (waiting {_length(claim.waits)})"


def claim_in_brief(status: JobStatus) -> str:
    """Return the same in a few words."""
    claim = status.claim if isinstance(status, Running) else None
    return f"claims {_length(claim.seconds)}" if claim is not None else ""


def standstill_text(status: JobStatus, now: float) -> str:
    """Return why a running job stands still: its board claims time, or does not answer. `now` is in epoch seconds."""
    if isinstance(status, Running) and status.claim and now - status.answered_at < status.claim.waits + SILENCE:
        return claim_text(status)
    return no_answer_text(status, now)


def no_answer_text(status: JobStatus, now: float) -> str:
    """Return since when a running job's board has not answered; "" where it answers. `now` is in epoch seconds."""
    if not isinstance(status, Running) or status.phase in _OFF_THE_BUS:
        return ""
    silent = now - status.answered_at
    return f"no answer for {format_age(silent)}" if silent >= SILENCE else ""


def percent(status: Running) -> int:
    """Return how far a phase is, from 0 to 100."""
    return max(0, min(100, 100 * status.done // status.total)) if status.total > 0 else 0


def _without_counts(status: Done) -> str:
    """Return how a job ended of which a daemon that was killed has left no counts."""
    return judgement_text(status.verdict) if status.verdict is not None else ""


def result_text(result: JobResult, kind: JobKind = JobKind.FLASH, verdict: Judgement | None = None) -> str:
    """Return what a job did, in a sentence, with the verdict on the start."""
    if kind is JobKind.ERASE:
        erased = f"{counted(result.erases, 'sector')} erased in {format_duration(result.seconds)}"
        blank = f", {format_size(result.unchanged)} blank already" if result.unchanged else ""
        return f"{erased}{blank}, {_VERIFIED[result.verified]}"
    if result.bytes_read:
        read = f"{format_size(result.bytes_read)} read in {format_duration(result.seconds)}"
        return f"{read}, {difference_text(result) or _VERIFIED[result.verified]}"
    started = {True: ", started", False: ", did not start", None: ""}[result.started]
    if verdict is not None and result.started is not False:
        started = f", {judgement_text(verdict)}"
    written = f"{format_size(result.bytes_written)} in {format_duration(result.seconds)}"
    same = f", {format_size(result.unchanged)} left alone" if result.unchanged else ""
    return f"{written}{same}, {counted(result.erases, 'erase')}, {_VERIFIED[result.verified]}{started}"


def difference_text(result: JobResult) -> str:
    """Return where what was read is not what it was compared with; "" where it is."""
    if not result.different:
        return ""
    first = "" if result.first_difference is None else f", the first at 0x{result.first_difference:08x}"
    return f"{counted(result.different, 'byte')} {'is' if result.different == 1 else 'are'} different{first}"


def _length(seconds: float) -> str:
    return format_duration(seconds).replace(".0 s", " s")
