"""Findings on the memory map, compared with the profile's flash and partitions. Pure."""

from collections.abc import Iterator

from flashdeck.config import MapPolicy, Partition
from flashdeck.diagnosis import Finding, Severity
from flashdeck.geometry import Geometry, Range
from flashdeck.memory_map import Access, MemoryMap
from flashdeck.text import format_size
from flashdeckd.dfu.descriptor import VERSION_DFUSE
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case, Observation


def findings(case: Case, seen: Observation) -> Iterator[Finding]:
    """Findings on the map of a device that should speak DfuSe."""
    maps = [each.memory_map for each in seen.alternates if each.memory_map is not None]
    if not maps:
        if seen.functional.version in (None, VERSION_DFUSE):
            yield from _none(seen)
        return
    for partition in case.profile.partitions.values():
        found = seen.map_for(partition.span)
        assert found is not None  # noqa: S101 - there is at least one
        if partition.protected:
            yield from _protected(partition, found)
        else:
            yield from _target(case, partition, found)
    yield from _extent(case.profile.geometry, maps)
    if case.profile.map is MapPolicy.IGNORE:
        yield Finding(
            code="map-ignored",
            severity=Severity.NOTE,
            seen='the profile says map = "ignore"',
            means="partitions are compared with the profile's own flash only, whatever the device says of itself",
        )


def _none(seen: Observation) -> Iterator[Finding]:
    if any(each.text for each in seen.alternates):
        trouble = next(each.map_error for each in seen.alternates if each.text)
        yield Finding(
            code="map-unreadable",
            severity=Severity.WARNING,
            seen=trouble,
            means="flashdeck goes by the profile alone; most other tools refuse such a device or take half of the map",
            mend="write it as @Name/0xADDRESS/COUNT*SIZE, as in @Internal Flash/0x08000000/16*8Ka,112*8Kg; "
            f"{st_sources.MAP}",
        )
    else:
        yield Finding(
            code="map-missing",
            severity=Severity.WARNING,
            seen="no alternate setting has a name, so there is no memory map",
            means="flashdeck goes by the profile alone, and nothing confirms that it is the right one for this chip",
            mend=f"give the interface its string; {st_sources.MAP}",
        )


def _protected(partition: Partition, found: MemoryMap) -> Iterator[Finding]:
    """Yield a finding where the map lets a host erase or write what the bootloader should keep."""
    open_spans = [
        Range(max(segment.span.start, partition.span.start), min(segment.span.end, partition.span.end))
        for segment in found.overlapping(partition.span)
        if segment.access & (Access.ERASE | Access.WRITE)
    ]
    if not open_spans:
        yield Finding(
            code="map-protects",
            severity=Severity.GOOD,
            seen=f"the map lets nobody erase or write the protected partition {partition.name}",
            means="other tools that go by the map leave it alone as well",
        )
        return
    size = sum(span.size for span in open_spans)
    yield Finding(
        code="map-opens-protected",
        severity=Severity.WARNING,
        seen=f"the map lets anybody erase or write {format_size(size)} of the protected partition {partition.name}, "
        f"from 0x{open_spans[0].start:08x} on",
        means="flashdeck never touches it. Any other tool may, and ST's classes do not check addresses: one image with "
        "the wrong address erases the bootloader while it runs",
        mend="mark all of its sectors with the letter a (readable only) in the map, and refuse such addresses, "
        f"which the map alone does not do, {st_sources.REFUSE_ADDRESSES}; {st_sources.MAP}",
    )


def _target(case: Case, partition: Partition, found: MemoryMap) -> Iterator[Finding]:
    ignored = case.profile.map is MapPolicy.IGNORE
    severity = Severity.WARNING if ignored else Severity.ERROR
    for sector in case.profile.geometry.sectors_in(partition.span):
        theirs = next((each for each in found.sectors_at(sector.span.start) if each != sector.span), None)
        if theirs is not None:
            yield Finding(
                code="map-other-sectors",
                severity=severity,
                seen=f"in {partition.name} the map has the sector {theirs} where the profile's flash has {sector.span}",
                means="one of the two is wrong, and an erase by the wrong one hits a neighbour: "
                + ('the profile says map = "ignore", so its own sectors count' if ignored else "jobs are blocked"),
                mend=f'mend `flash` or `sectors` in the profile, or the map; {st_sources.MAP}. map = "ignore" if '
                "only the map is wrong and cannot be changed",
            )
            return
    if not found.permits(partition.span, Access.ERASE | Access.WRITE):
        reached = any(found.overlapping(partition.span))
        what = "does not let all of it be erased and written" if reached else "does not reach it"
        yield Finding(
            code="map-closes-partition",
            severity=severity,
            seen=f"partition {partition.name} ({partition.span}): the map {what}",
            means='jobs are refused, unless the profile says map = "ignore"'
            if not ignored
            else "the map is ignored; the bootloader may still refuse to erase or write there",
            mend=f"give its sectors the letter g in the map, or move the partition; {st_sources.MAP}",
        )
        return
    yield Finding(
        code="map-agrees",
        severity=Severity.GOOD,
        seen=f"partition {partition.name}: the map has the same sectors as the profile, to be erased and written",
        means="jobs are let through",
    )


def offered_end(geometry: Geometry, maps: list[MemoryMap]) -> int:
    """Return the end of the flash by the map. Option bytes and OTP, which have addresses of their own, do not count."""
    base, end = geometry.regions[0].address, geometry.regions[-1].span.end
    return max((s.span.end for m in maps for s in m.segments if base <= s.span.start <= end), default=end)


def _extent(geometry: Geometry, maps: list[MemoryMap]) -> Iterator[Finding]:
    """Yield a finding where the map goes on behind the end of the flash."""
    end, last = geometry.regions[-1].span.end, offered_end(geometry, maps)
    if last > end:
        yield Finding(
            code="map-too-large",
            severity=Severity.WARNING,
            seen=f"the map goes on to 0x{last - 1:08x}, but the profile's flash ends at 0x{end - 1:08x}: "
            f"{format_size(last - end)} too much",
            means="flashdeck stays inside its partitions. A tool that reads all that the map offers reads beyond the "
            "flash; where Read does not check addresses that is a bus fault, and the board drops off the bus",
            mend=f"say what this part really has, not what the largest of the family has; {st_sources.MAP}",
        )
