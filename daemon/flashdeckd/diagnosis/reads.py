"""Findings on the test reads: can this bootloader be read, and can its answers be true? Pure."""

from collections.abc import Iterator

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import counted
from flashdeckd.dfu.wire import set_address, state_name
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.dialects import Dialect
from flashdeckd.diagnosis.observation import Case, Observation, ReadOutcome, TestRead

BLANK = 0xFF
ST_REFUSED = 15
"""The state that ST's classic class reports after a Read that returned NULL: a status number, by mistake."""


def findings(case: Case, seen: Observation, dialect: Dialect) -> Iterator[Finding]:
    """Findings on reading."""
    yield from (_unread(partition, why) for partition, why in seen.unread if not seen.reads)
    answered = [read for read in seen.reads if read.outcome is ReadOutcome.DATA]
    failed = next((read for read in seen.reads if read.outcome is not ReadOutcome.DATA), None)
    if failed is not None:
        yield _failure(seen, failed, answered)
    elif answered:
        yield from _contents(case, seen, answered, dialect)
    if answered and not seen.functional.can_upload:
        yield Finding(
            code="upload-bit-missing",
            severity=Severity.WARNING,
            seen="bitCanUpload is 0, but a read was answered",
            means="hosts that believe the bit do not read, so nothing is ever verified",
            mend=f"set bit 1 of bmAttributes: {st_sources.ATTRIBUTES}",
        )


def _unread(partition: str, why: str) -> Finding:
    return Finding(
        code="read-not-tried",
        severity=Severity.NOTE,
        seen=f"{partition} was not read: {why}",
        means="whether it can be read is not known from this look",
    )


def _failure(seen: Observation, read: TestRead, answered: list[TestRead]) -> Finding:
    where = f"{read.span.size} bytes at {read.span} ({read.partition})"
    before = f" ({counted(len(answered), 'read')} before it got an answer)" if answered else ""
    if read.outcome is ReadOutcome.LOST:
        return Finding(
            code="read-kills",
            severity=Severity.ERROR,
            seen=f"the board did not answer any more after a read of {where}{before}: {read.message}",
            means="its Read faults or never returns, even inside a partition. A flash works without reading; nothing "
            "can be verified, and any tool that reads loses the board",
            mend=f"{st_sources.READ}; {st_sources.BOUND}",
        )
    if read.outcome is ReadOutcome.SHORT:
        return Finding(
            code="read-short",
            severity=Severity.WARNING,
            seen=f"a read of {where} was answered with too little{before}: {read.message}",
            means="a short answer ends an upload (USB DFU 1.1): the host takes it for the end of the memory. Nothing "
            "can be verified",
            mend="answer as many bytes as are asked for, as long as the address is inside the flash: "
            f"{st_sources.UPLOAD_LENGTH}",
        )
    if read.outcome is ReadOutcome.FAILED:
        return Finding(
            code="read-fails",
            severity=Severity.WARNING,
            seen=f"a read of {where} failed{before}: {read.message}",
            means="nothing can be verified; flashing works without it",
            mend=st_sources.READ,
        )
    if not seen.functional.can_upload:
        return Finding(
            code="read-absent",
            severity=Severity.NOTE,
            seen=f"bitCanUpload is 0, and a read of {where} was refused",
            means="the bootloader cannot be read, and says so. Flashing works; the result is never called verified",
            mend=f"if verifying is wanted: {st_sources.READ}; and set bit 1 of bmAttributes",
        )
    left = "" if read.state is None else f" and left {state_name(read.state)}"
    why = (
        "that state is no legal one: ST's classic class leaves it when its media's Read returns NULL"
        if read.state == ST_REFUSED
        else "bitCanUpload promises that it can be read"
    )
    return Finding(
        code="read-refused",
        severity=Severity.WARNING,
        seen=f"a read of {where} was refused with a STALL{left}{before}",
        means=f"{why}. Nothing on the board is protected by that. Flashing works without reading; everything is "
        "written each time (but for trust_cache = true in the profile), and the result says not verified",
        mend=f"{st_sources.READ}; {st_sources.BOUND}. Or clear bit 1 of bmAttributes, which is at least honest",
    )


def _contents(case: Case, seen: Observation, reads: list[TestRead], dialect: Dialect) -> Iterator[Finding]:
    starts = {partition.name: partition.span.start for partition in case.profile.partitions.values()}
    if any(_is_echo(read, starts) for read in reads):
        yield Finding(
            code="read-echo",
            severity=Severity.WARNING,
            seen="a read answers with the Set Address command that was sent just before it",
            means="the class hands out its receive buffer, and Read has not filled it: every read-back shows what was "
            "sent last, whatever is in the flash. Other tools would call any flash verified",
            mend=st_sources.READ,
        )
        return
    known = dict(case.known)
    wrong = [r for r in reads if _disagrees(r, starts.get(r.partition), known.get(r.partition, b""))]
    if wrong and not case.history.reading_proved:
        yield Finding(
            code="read-not-what-was-flashed",
            severity=Severity.WARNING,
            seen=f"{', '.join(read.partition for read in wrong)}: what is read is not what flashdeck last wrote there",
            means="somebody else has flashed it since, or the reads are constant or stale. The next flash will prove "
            "which: it reads a sector back after its erase and after its write",
            mend=f"if nobody else flashed it: {st_sources.READ}; invalidate the caches over the range before you copy",
        )
    values = {byte for read in reads for byte in set(read.data)}
    if len(values) == 1 and values != {BLANK}:
        yield _constant(values.pop(), len(reads))
    elif values == {BLANK}:
        yield Finding(
            code="read-blank",
            severity=Severity.NOTE,
            seen=f"{counted(len(reads), 'test read')} answered 0xff only",
            means="the partitions are blank at both ends, or this bootloader answers 0xff from everywhere: only a "
            "flash can tell",
        )
    elif len(reads) > 1 and len({read.data for read in reads}) == 1:
        yield Finding(
            code="read-same",
            severity=Severity.WARNING,
            seen=f"{len(reads)} reads at different addresses answered the same {len(reads[0].data)} bytes",
            means="Read does not look at the address, so a read-back shows nothing. flashdeck will not call such a "
            "board verified",
            mend=st_sources.READ,
        )
    elif not wrong:
        yield _works(case, seen, reads, dialect)


def _is_echo(read: TestRead, starts: dict[str, int]) -> bool:
    command = set_address(starts.get(read.partition, 0))
    return read.data.startswith(command)


def _disagrees(read: TestRead, start: int | None, known: bytes) -> bool:
    size = min(len(known), len(read.data))
    return read.span.start == start and size > 0 and read.data[:size] != known[:size]


def _constant(value: int, count: int) -> Finding:
    return Finding(
        code="read-constant",
        severity=Severity.WARNING,
        seen=f"{counted(count, 'test read')} answered 0x{value:02x} only",
        means="erased flash reads 0xff, so this is most likely a Read that does not read: some releases of ST's "
        "classic class send what lies at address 0 when Read returns NULL. Flashing works; nothing is ever called "
        "verified",
        mend=st_sources.READ,
    )


def _works(case: Case, seen: Observation, reads: list[TestRead], dialect: Dialect) -> Finding:
    names = ", ".join(dict.fromkeys(read.partition for read in reads))
    answered = f"{counted(len(reads), 'read')} got an answer in {names}"
    if not dialect.can_read_back(seen.functional):
        return Finding(
            code="read-before-only",
            severity=Severity.NOTE,
            seen=f"{answered}, but the device leaves as soon as it has an image (bitManifestationTolerant is 0)",
            means="flashdeck cannot read back what it wrote: flashing works, and the result is never called verified",
        )
    if case.history.reading_proved:
        return Finding(
            code="read-proved",
            severity=Severity.GOOD,
            seen=f"{answered}, and an earlier flash has proved reading",
            means=dialect.proved,
        )
    return Finding(
        code="read-answers",
        severity=Severity.GOOD,
        seen=f"{answered} with bytes that can be true",
        means=dialect.provable,
    )
