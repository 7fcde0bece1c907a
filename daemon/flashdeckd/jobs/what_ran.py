"""The way back of a board whose newest build has crashed: to the images with which it last ran, or why there is none.

Pure: a function of what the journal knows. The set that ran is kept with the contents of each partition, all at one
moment, and the jobs that brought what is there now say who asked for that.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck.job_state import CHANGES, Done, Failed, JobKind, Origin, Written
from flashdeck.model import Contents, JobState, Ran
from flashdeck.verdict import Verdict

_BY_ITSELF = (Origin.BUILD, Origin.FLASHDECK)
"""Jobs that no person asked for."""

OriginOf = Callable[[str, str], Origin | None]
"""Says who asked last for an image in a partition; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class GoesBack:
    """All partitions that have something else than when the board last ran get that again, in one visit."""

    to: Mapping[str, Ran]
    """By partition, in the order of the configuration."""
    gone: Mapping[str, tuple[str, ...]]
    """The images that each goes back from."""


@dataclass(frozen=True, slots=True)
class CrashedAgain:
    """The images that the board went back to by itself have crashed, too: nothing more happens by itself."""

    jobs: tuple[JobState, ...]


@dataclass(frozen=True, slots=True)
class Stays:
    """The board stays as it is."""

    reason: str = ""
    """The reason, in a sentence; "" where nobody needs one."""


Decision = GoesBack | CrashedAgain | Stays


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPast:
    """The journal's knowledge of a board, and what is queued there."""

    contents: Mapping[str, Contents]
    """The known contents of its partitions, in the order of the configuration."""
    protected: AbstractSet[str] = frozenset()
    """Partitions that may not be written."""
    crashed: tuple[JobState, ...]
    """The jobs whose verdict is to be followed."""
    active: tuple[JobState, ...] = ()
    """Its jobs that have not ended."""
    why_not: str = ""
    """The reason for which nothing may happen there by itself now; "" where it may."""


def may_go_back(job: JobState, status: Done | Failed, after: AbstractSet[Verdict]) -> bool:
    """Tell whether a board may go back by itself once a job has ended so; `after` are the verdicts that ask for it.

    Who flashes by hand looks at the board, and wants to see it crash.
    """
    if job.kind is not JobKind.FLASH or job.origin not in _BY_ITSELF or status.verdict is None:
        return False
    return isinstance(status, Failed) and status.verdict.verdict in after


def with_what_ran(contents: Mapping[str, Contents], at: float) -> dict[str, Contents]:
    """Return the contents of a board that runs, each with what it has now as what ran; nothing where that is no news.

    Of what is uncertain, incomplete or erased nobody knows what ran.
    """
    now = {name: replace(each, ran=_ran(each, at)) for name, each in contents.items()}
    same = all(_is_same(contents[name].ran, each.ran) for name, each in now.items())
    return {} if same else now


def way_back(past: BoardPast, origin_of: OriginOf) -> Decision:
    """Return what follows from the jobs that crashed."""
    standing = [job for job in past.crashed if _has(past.contents.get(job.partition), job.sha256)]
    if not standing:
        return Stays()  # something else is there by now
    if all(job.origin is Origin.FLASHDECK for job in standing) and not past.why_not:
        return CrashedAgain(tuple(standing))
    changed = {name: each for name, each in past.contents.items() if _is_changed(each)}
    if (why := next(_reasons_to_stay(past, changed, origin_of), None)) is not None:
        return Stays(why)
    to = {name: each.ran for name, each in changed.items() if each.ran is not None}
    return GoesBack(to, {name: _news(changed[name]) for name in to})


def _reasons_to_stay(past: BoardPast, changed: Mapping[str, Contents], origin_of: OriginOf) -> Iterator[str]:
    """Yield what keeps a board from going back, that which matters most first; "" where nobody needs to know."""
    if past.why_not:
        yield past.why_not
    if not any(each.ran is not None for each in past.contents.values()):
        yield "no set of images has run there yet"
    if not changed:
        yield "it has the very images with which it last ran"
    for job in past.active:
        if job.partition in changed and _is_to_come(job):
            yield "" if job.origin is Origin.FLASHDECK else f"job {job.id} for {job.partition} comes first"
    for name, contents in changed.items():
        yield from _obstacles(name, contents, past, origin_of)


def _obstacles(name: str, contents: Contents, past: BoardPast, origin_of: OriginOf) -> Iterator[str]:
    """Yield what keeps a partition from going back."""
    ran = contents.ran
    if ran is None:
        yield f"nobody knows what {name} had when the board last ran"
        return
    if name in past.protected:
        yield f"{name} is protected now"
    if contents.erased:
        yield f"{name} was erased by hand since the board last ran"
    elif not _is_certain(contents):
        yield f"nobody knows what {name} has now"
    elif any(origin_of(name, each) not in _BY_ITSELF for each in _news(contents)):
        yield f"{name} was flashed by hand since the board last ran"
    if not set(ran.images).isdisjoint(contents.went_back):
        yield f"{name} would get what it went back from since then"
    if (ran.serial, ran.bcd_device) != (contents.serial, contents.bcd_device):
        yield (
            f"it shows serial {contents.serial or 'none'}, bcdDevice {contents.bcd_device:04x}, and showed "
            f"{ran.serial or 'none'}, {ran.bcd_device:04x} when it last ran"
        )
    elif ran.memory_map and contents.memory_map and ran.memory_map != contents.memory_map:
        yield "it shows another memory map than when it last ran"


def _ran(contents: Contents, at: float) -> Ran | None:
    if not _is_certain(contents) or contents.erased:
        return None
    return Ran(
        images=_images(contents),
        version=contents.version,
        at=at,
        serial=contents.serial,
        bcd_device=contents.bcd_device,
        memory_map=contents.memory_map,
    )


def _is_same(one: Ran | None, other: Ran | None) -> bool:
    if one is None or other is None:
        return one is other
    return replace(one, at=other.at) == other


def _is_changed(contents: Contents) -> bool:
    """Tell whether a partition may have something else than when the board last ran."""
    if contents.ran is None:
        return _is_certain(contents) and not contents.erased  # nobody knew then, and somebody does now
    return not _is_certain(contents) or contents.erased or _images(contents) != contents.ran.images


def _is_certain(contents: Contents) -> bool:
    return contents.complete and not contents.uncertain and (contents.erased or bool(contents.sha256))


def _images(contents: Contents) -> tuple[str, ...]:
    """Return what a partition has: its program, or its data, and the patches over it, the oldest first."""
    return (contents.sha256, *(patch.sha256 for patch in reversed(contents.patches)))


def _news(contents: Contents) -> tuple[str, ...]:
    """Return the images of a partition that it had not when the board last ran."""
    ran = contents.ran.images if contents.ran is not None else ()
    return tuple(each for each in _images(contents) if each not in ran)


def _has(contents: Contents | None, sha256: str) -> bool:
    return contents is not None and contents.complete and sha256 in _images(contents)


def _is_to_come(job: JobState) -> bool:
    """Tell whether a job will still change its partition."""
    return job.kind in CHANGES and not isinstance(job.status, Written)
