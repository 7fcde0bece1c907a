"""From a case to its report. Pure."""

from collections.abc import Iterator

from flashdeck.diagnosis import BoardReport, Fact, Finding, Severity
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Failure
from flashdeck.text import clean, format_size
from flashdeckd.diagnosis import banks, booting, descriptors, identity, reads, st_sources, timing, ways_in
from flashdeckd.diagnosis.dialects import dialect_of
from flashdeckd.diagnosis.observation import Case, Observation

_ORDER = list(Severity)
LONGEST = 1000


def judge(case: Case, error: FlashdeckError | None = None) -> BoardReport:
    """The report on a board. `error` is why it could not be looked at, or not to the end."""
    seen = case.seen
    found = sorted(_findings(case, error), key=lambda finding: _ORDER.index(finding.severity))
    return BoardReport(
        board=case.board,
        profile=case.profile.name,
        presence=case.presence,
        facts=tuple(_facts(case)),
        findings=tuple(found),
        explanations=tuple(dialect_of(case.profile).explanations(case, seen)) if seen else (),
        requests=seen.requests if seen else 0,
        failure=None if error is None else Failure(kind=error.kind, message=error.message, hint=error.hint),
    )


def _findings(case: Case, error: FlashdeckError | None) -> Iterator[Finding]:
    yield from identity.findings(case)
    yield from ways_in.findings(case)
    if error is not None:
        yield from _failure(error)
    seen = case.seen
    if seen is not None:
        yield from identity.pins(case, seen.names)
        dialect = dialect_of(case.profile)
        yield from descriptors.findings(case, seen, dialect)
        yield from dialect.map_findings(case, seen)
        yield from reads.findings(case, seen, dialect)
        yield from timing.findings(case, seen)
        if seen.trouble:
            yield Finding(
                code="look-ended",
                severity=Severity.ERROR,
                seen=f"the look ended early: {clean(seen.trouble, LONGEST)}",
                means="the board may need a reset; nothing was erased or written",
            )
    if seen is None or any(each.memory_map for each in seen.alternates):
        yield from banks.findings(case)
    yield from booting.findings(case)


def _failure(error: FlashdeckError) -> Iterator[Finding]:
    if error.kind is ErrorKind.NO_PERMISSION:
        yield Finding(
            code="no-permission",
            severity=Severity.ERROR,
            seen=error.message,
            means="the system does not let the daemon's user open the device, so nothing can be flashed",
            mend=error.hint,
        )
    elif error.kind is ErrorKind.DFU_STATE:
        yield Finding(
            code="stuck",
            severity=Severity.ERROR,
            seen=error.message,
            means="the device does not come back to dfuIDLE, so no session can begin",
            mend=f"{error.hint}. {st_sources.STUCK}",
        )


def _facts(case: Case) -> Iterator[Fact]:
    device, seen = case.device, case.seen
    if device is not None:
        yield Fact(name="USB", value=f"{device.usb_id}, bcdDevice {device.bcd_device:04x}, at {device.name}")
        yield Fact(name="serial", value=device.serial or "none")
        if case.speed:
            yield Fact(name="link", value=f"{case.speed} Mbit/s")
        if device.product:
            yield Fact(name="product", value=device.product)
    if seen is not None:
        yield from _device_facts(seen)


def _device_facts(seen: Observation) -> Iterator[Fact]:
    functional = seen.functional
    version = "missing" if functional.version is None else f"0x{functional.version:04x}"
    bits = {
        "download": functional.can_download,
        "upload": functional.can_upload,
        "tolerant": functional.manifestation_tolerant,
        "will-detach": functional.will_detach,
    }
    said = ", ".join(name for name, value in bits.items() if value) or "nothing"
    yield Fact(name="DFU version", value=version)
    yield Fact(name="attributes", value=said)
    yield Fact(name="transfer size", value=f"{functional.transfer_size} bytes")
    for each in seen.alternates:
        yield Fact(name=f"alternate {each.number}", value=each.text or "no name")
    for each in seen.alternates:
        for segment in each.memory_map.segments if each.memory_map else ():
            letters = "".join(bit.name[0].lower() for bit in segment.access if bit.name) or "-"
            count = segment.span.size // segment.sector_size
            yield Fact(
                name=f"map {each.number}",
                value=f"{segment.span} {count} x {format_size(segment.sector_size)} {letters}",
            )
    if seen.claims:
        yield Fact(name="claimed for Set Address", value=f"{max(seen.claims)} ms")
    for read in seen.reads:
        yield Fact(name=f"read {read.partition}", value=f"{read.span} {read.outcome}")
