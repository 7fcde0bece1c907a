"""Verdicts: what a job says of the start of its image is what became of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Failed, JobKind, Running, Written, judgement_of
from flashdeck.model import BoardState, Contents, Event, JobState
from flashdeck.verdict import DOES_NOT_RUN, Judgement, Verdict
from simulation.invariants.attempts import Attempts
from simulation.invariants.changed_files import renamed
from simulation.invariants.identity import candidates, claims
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Named, Said, Seen, Setup, Signs, Spoken, Started, Wish
from simulation.speaking import CRASH, said_version

SLACK_SECONDS: Final = 1.0
"""Seconds by which what is said may be heard late: until a port is there, is opened, and is looked at. What comes so
near to an end of `within` or `stays` may count on either side of it."""
RENEWED_SECONDS: Final = 1.0
"""Seconds behind the end of a reset in which what it has renewed is shown."""
KINDS: Final[Mapping[str, Verdict]] = {
    ErrorKind.CRASHED.value: Verdict.CRASHED,
    ErrorKind.SILENT.value: Verdict.SILENT,
    ErrorKind.ANOTHER_BUILD.value: Verdict.ANOTHER_BUILD,
}
"""The kinds of failures that say that an image does not run."""
LATER: Final[Mapping[Verdict, frozenset[Verdict]]] = {
    **dict.fromkeys(
        (Verdict.SILENT, Verdict.UNKNOWN, Verdict.NOT_SEEN),
        frozenset({Verdict.RUNS, Verdict.CRASHED, Verdict.ANOTHER_BUILD}),
    ),
    Verdict.RUNS: frozenset({Verdict.CRASHED}),
    Verdict.ANOTHER_BUILD: frozenset({Verdict.CRASHED}),
}
"""By verdict: what may come to light after it."""


@dataclass(slots=True, eq=False)
class _Voice:
    """An application that speaks, or did."""

    spoken: Spoken
    serial: str
    port: str
    """Those of its board, as it started."""
    ended_at: float = inf

    def lines(self, until: float) -> Iterator[Said]:
        """Yield what it has said by then."""
        return (line for line in self.spoken.lines if line.at <= min(until, self.ended_at))


@dataclass(slots=True, eq=False)
class _Start:
    """A board that was told to leave DFU mode, and what is known of that."""

    device: str
    since: float
    """The world's time when the application started that it started then."""
    signs: Signs
    jobs: frozenset[int]
    """The flashes that were written then, and wait for this start."""
    expected: frozenset[str]
    """The versions that it may have had to say; "" among them: any was right."""
    is_open: bool
    """True while all that happens to it is what its application says.

    Not so any more, so that the same story may end in several ways, once the board left the bus, entered DFU mode, or
    was not the only one that looks like it; the daemon was killed or ended; a configuration was taken over; or whoever
    looks at the ports was late: a thread that is slow now and then, or one that asks each board in its turn, of which
    one hangs. Then only what is claimed must have been: a line that was never said decides nothing.
    """


class Verdicts(Rule):
    """Starts are judged by what was said."""

    name = "verdicts"
    sentence = (
        "Verdict: what became of a flashed image after its start: runs, crashed, silent, another build, not seen. "
        "`ready` seen: it runs; `fail` seen: it crashed; `within` from the application's first sight; `ready` counts "
        "once it has stood for `stays`. What comes later changes what is shown, and no answer that was given."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._voices: list[_Voice] = []
        self._unplugged_at: dict[str, int] = {}
        """By device: the step at which it was seen without its cable last."""
        self._starts: dict[str, _Start] = {}
        """By board: its last start that somebody asked for."""
        self._asked: set[str] = set()
        """Boards of which a job has run since."""
        self._answers: dict[int, Judgement | None] = {}
        """By job that has ended: its verdict."""
        self._ended_at: dict[int, float] = {}
        """By such a job: the world's time of its end."""
        self._shown: dict[tuple[str, str], tuple[int, Judgement | None]] = {}
        """By board and partition: the job of its contents, and their verdict."""
        self._history: dict[tuple[str, str], list[tuple[float, Verdict | None]]] = defaultdict(
            list[tuple[float, Verdict | None]]
        )
        """The verdicts that were shown there, and since when."""
        self._judged_at: dict[tuple[str, str], float] = {}
        """By board and partition: when what is shown was judged, but for what came to light later."""
        self._reset_at: dict[str, float] = {}
        """By board: when a job that has reset it has ended."""

    # The world.

    def spoke(self, spoken: Spoken) -> None:
        """Note what an application is about to say."""
        device = self.seen.devices[spoken.device]
        self._end(spoken.device)
        self._voices.append(_Voice(spoken, device.serial, device.port))

    def plugged(self) -> None:
        """Note who does not speak any more, and which starts are not what they were."""
        self._look_for_hanging()
        for device in self.seen.devices.values():
            if not device.is_plugged:
                self._unplugged_at[device.name] = self.seen.step
        for name in {voice.spoken.device for voice in self._voices if voice.ended_at == inf}:
            if self.seen.devices[name].mode != "app":
                self._end(name)
        for board, start in self._starts.items():
            named = self.seen.setup.boards.get(board)
            start.is_open = start.is_open and named is not None and self._is_alone(named, start.device)

    def started(self, started: Started) -> None:
        """Note that a board has left DFU mode."""
        device = self.seen.devices[started.device]
        for named in self.seen.setup.boards.values():
            if started.lane != named.name and (started.lane or not claims(named, device)):
                continue
            if named.name not in self._asked and named.name in self._starts:
                self._starts[named.name].is_open = False  # it has started once more, by itself
            elif (signs := named.product.signs) is not None:
                self._asked.discard(named.name)
                self._starts[named.name] = _Start(
                    device=device.name,
                    since=max((v.spoken.at for v in self._voices if v.spoken.device == device.name), default=inf),
                    signs=signs,
                    jobs=frozenset(self._written(named.name)),
                    expected=frozenset(self._expected(named, signs)),
                    is_open=self._is_alone(named, device.name),
                )
                self._look_for_hanging()

    def _written(self, board: str) -> Iterator[int]:
        """Yield the flashes of a board that are written, and have not ended."""
        for job in self.seen.shown.jobs.values():
            if job.board == board and job.kind is JobKind.FLASH and isinstance(job.status, Written):
                yield job.id

    def took(self, before: Setup, after: Setup) -> None:
        """Note who is called otherwise now, and that the port may be closed and opened for that."""
        names = renamed(before, after)
        self._starts = {names.get(name, name): start for name, start in self._starts.items()}
        self._asked = {names.get(name, name) for name in self._asked}
        self._reset_at = {names.get(name, name): at for name, at in self._reset_at.items()}
        for start in self._starts.values():
            start.is_open = False
        if names:
            self._forget()

    def began(self) -> None:
        """A new life has heard nothing, and shows what is recorded."""
        for start in self._starts.values():
            start.is_open = False
        self._forget()

    def _forget(self) -> None:
        """Take what is shown next as it is."""
        for kept in (self._shown, self._history, self._judged_at):
            kept.clear()

    def _end(self, device: str) -> None:
        for voice in self._voices:
            if voice.spoken.device == device:
                voice.ended_at = min(voice.ended_at, self.seen.now)

    def _is_alone(self, named: Named, device: str) -> bool:
        found = candidates(named, self.seen.devices.values())
        return [each.name for each in found] == [device] and found[0].mode == "app"

    def _expected(self, named: Named, signs: Signs) -> Iterator[str]:
        """Yield the versions that an application may have to say."""
        place = named.product.places[signs.partition]
        if place.protected:
            yield ""
            return
        for job in sorted(self.seen.shown.jobs.values(), key=lambda job: -job.id):
            build = self.seen.builds.get(job.sha256)
            is_brought = job.kind is JobKind.FLASH and isinstance(job.status, Running | Written)
            if is_brought and (job.board, job.partition) == (named.name, place.name) and build and build.is_program:
                yield build.version or job.version
                return
        contents = self._contents(named.name, place.name)
        is_known = contents is not None and contents.complete and not contents.uncertain
        yield contents.version if contents is not None and is_known else ""

    def _contents(self, board: str, place: str) -> Contents | None:
        shown = self.seen.shown.boards.get(board)
        return next((each.contents for each in shown.partitions if each.name == place), None) if shown else None

    # What is shown.

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge the end of a job, and what is shown of a board."""
        if event.board is not None:
            self._judge_board(event.board)
        job = event.job
        if job is None:
            return
        if isinstance(job.status, Running) and not isinstance(before and before.status, Running):
            self._asked.add(job.board)
        if job.kind is JobKind.RESET and job.is_settled:
            self._reset_at[job.board] = self.seen.now
        if not job.is_settled:
            self._answers.pop(job.id, None)  # a disk that was full has lost its end
            return
        answer = judgement_of(job.status)
        if job.id not in self._answers:
            self._answers[job.id], self._ended_at[job.id] = answer, self.seen.now
            if self.seen.is_alive:
                self._judge_end(job, answer)
        elif self._answers[job.id] != answer:
            raise self.broken(f"job {job.id} of {job.board} had the verdict {self._answers[job.id]}, and has {answer}")

    def _judge_end(self, job: JobState, answer: Judgement | None) -> None:
        failed = job.status.failure.kind.value if isinstance(job.status, Failed) else ""
        what = f"job {job.id} of {job.board}"
        if job.kind in (JobKind.FLASH, JobKind.RESET) and (answer is not None or job.kind is JobKind.FLASH):
            if KINDS.get(failed) is not (answer.verdict if answer and answer.verdict in DOES_NOT_RUN else None):
                raise self.broken(f"{what} ends as {failed or job.text!r}, and its verdict is {answer}")
        elif answer is not None:
            raise self.broken(f"{what} is no flash, and has the verdict {answer}")
        if answer is None:
            start = self._starts.get(job.board)
            is_done = isinstance(job.status, Done) and not job.status.not_started
            if is_done and start is not None and job.id in start.jobs and not self._is_late(start):
                raise self.broken(f"{what} was started at {start.since:.3f}, and ends without a verdict")
            return
        named = self.seen.setup.boards.get(job.board)
        if named is None:
            return  # it was taken out of the configuration meanwhile
        if self._is_without(named):
            raise self.broken(f"{what} has a verdict, and its board has no console")
        start = self._starts.get(job.board)
        self._be_so(what, named, start, answer)
        if start is None or self._is_late(start):
            return
        fates = self._fates(start)
        if answer.verdict not in fates:
            heard = [line.text for voice in self._heard(named, start) for line in voice.lines(self.seen.now)]
            raise self.broken(
                f"{what} has the verdict {answer.verdict.value} ({answer.reason}), and it is "
                f"{' or '.join(sorted(each.value for each in fates))} since {start.since:.3f}: {heard[-8:]}, where "
                f"{sorted(start.expected)} was to be said in {start.signs.within} s, and to stand {start.signs.stays} s"
            )

    def _judge_board(self, board: BoardState) -> None:
        named = self.seen.setup.boards.get(board.name)
        if named is None or board.profile != named.product.name:
            return
        for each in board.partitions:
            key, contents = (board.name, each.name), each.contents
            now = (contents.job if contents is not None else 0, contents.verdict if contents is not None else None)
            before = self._shown.get(key)
            if before == now:
                continue
            self._shown[key] = now
            self._history[key].append((self.seen.now, now[1].verdict if now[1] is not None else None))
            if now[1] is not None and self._is_without(named):
                raise self.broken(f"{board.name}/{each.name} has a verdict, and the board has no console")
            if before is not None and self.seen.is_alive:
                self._judge_change(named, each.name, before, now)

    def _judge_change(
        self, named: Named, place: str, before: tuple[int, Judgement | None], now: tuple[int, Judgement | None]
    ) -> None:
        """Judge that what is shown of a partition has another verdict."""
        what, (number, verdict) = f"{named.name}/{place}", now
        if verdict is None:
            return
        self._be_so(what, named, self._starts.get(named.name), verdict)
        key, start = (named.name, place), self._starts.get(named.name)
        job, answer = self.seen.shown.jobs.get(number), self._answers.get(number)
        if job is not None and isinstance(job.status, Written):  # its end comes next, and is judged
            self._judged_at[key] = self.seen.now
        elif before[0] != number or before[1] is None:
            if answer is None or not _may_follow(answer, verdict):
                raise self.broken(f"{what} has the verdict {verdict}, and that of its job {number} was {answer}")
            self._judged_at[key] = self._ended_at[number]
        elif self._is_reset(named.name):
            self._judged_at[key] = self.seen.now
        elif not _may_follow(before[1], verdict):
            raise self.broken(f"{what} has the verdict {verdict}, and had {before[1]}")
        elif start is not None and self._judged_at.get(key, inf) < start.since:
            raise self.broken(f"{what} has the verdict {verdict} of a start that it was not judged by")

    def _is_reset(self, board: str) -> bool:
        """Tell whether a job that resets a board is about to end, or just has."""
        jobs = self.seen.shown.jobs.values()
        is_ending = any(
            job.board == board and job.kind is JobKind.RESET and isinstance(job.status, Written) for job in jobs
        )
        return is_ending or self._reset_at.get(board, -inf) > self.seen.now - RENEWED_SECONDS

    def answered(self, ask: Ask) -> None:
        """Judge how a wait ends."""
        if ask.wish is not Wish.WAIT:
            return
        for board, kind in ask.ends:
            history = self._history.get((board, ask.place), [])
            first = max((at for at, _ in history if at <= ask.at), default=-inf)
            shown = {verdict for at, verdict in history if at >= first}
            shown |= self._of_builds_gone(board, ask.place)
            if kind in KINDS and KINDS[kind] not in shown:
                raise self.broken(f"{ask.client} is told {kind} of {ask.place} on {board}, and {shown} was shown")
            if not kind and shown and shown <= DOES_NOT_RUN:
                raise self.broken(f"{ask.client} is told that {board} runs {ask.place}, and {shown} was shown")

    def _of_builds_gone(self, board: str, place: str) -> set[Verdict | None]:
        """Return the verdicts of builds that a board has no more: it went back, or got something else by hand."""
        contents = self._contents(board, place)
        there = contents.sha256 if contents is not None else ""
        return {
            answer.verdict
            for job in self.seen.shown.jobs.values()
            if (job.board, job.partition) == (board, place) and job.sha256 in self.seen.builds and job.sha256 != there
            if (answer := self._answers.get(job.id)) is not None
        }

    def rested(self) -> None:
        """Judge what has come to light since: a crash is shown in the end."""
        for named in self.seen.setup.boards.values():
            start = self._starts.get(named.name)
            if start is None or self._is_late(start):
                continue
            crashes = [
                line
                for voice in self._heard(named, start)
                for line in voice.lines(self.seen.now - SLACK_SECONDS)
                if line.is_whole and CRASH in line.text
            ]
            for place in named.product.places.values() if crashes else ():
                contents = self._contents(named.name, place.name)
                job = self.seen.shown.jobs.get(contents.job) if contents is not None else None
                if contents is None or job is None or contents.verdict is None or not self._is_of(start, job):
                    continue
                if contents.verdict.verdict is not Verdict.CRASHED and self.seen.disk_failed_at < start.since:
                    raise self.broken(
                        f"{named.name}/{place.name} has the verdict {contents.verdict}, and it has crashed since"
                    )

    # The story.

    @staticmethod
    def _is_without(named: Named) -> bool:
        return named.product.signs is None

    def _look_for_hanging(self) -> None:
        """A device that hangs keeps whoever looks at the ports waiting, so that the others are looked at late."""
        devices = self.seen.devices.values()
        if any(device.struck_at > self._unplugged_at.get(device.name, -1) for device in devices):
            for start in self._starts.values():
                start.is_open = False

    def _is_late(self, start: _Start) -> bool:
        """Tell whether a thread that looks at the ports was late since a start, or shortly before."""
        self._look_for_hanging()
        return not start.is_open or self.seen.pool_late_at >= start.since - SLACK_SECONDS

    def _is_of(self, start: _Start, job: JobState) -> bool:
        """Tell whether a start is the one that a job has ended with."""
        return self._ended_at.get(job.id, -inf) >= start.since

    def _heard(self, named: Named, start: _Start) -> Iterator[_Voice]:
        """Yield the applications that may have been heard since a start as those of its board."""
        for voice in self._voices:
            is_likely = voice.spoken.device == start.device or (
                (named.serial and voice.serial == named.serial) or (named.port and voice.port == named.port)
            )
            if is_likely and voice.spoken.at >= start.since:
                yield voice

    def _be_so(self, what: str, named: Named, start: _Start | None, verdict: Judgement) -> None:
        """Judge that what a verdict claims has been said since the leave, whatever else may have happened."""
        if verdict.verdict not in (Verdict.RUNS, Verdict.CRASHED, Verdict.ANOTHER_BUILD):
            return
        if start is None and not any(self._is_claimed(named, each) for each in self._unplugged_at):
            raise self.broken(f"{what} has the verdict {verdict}, and its board was never told to leave DFU mode")
        if (
            start is None
        ):  # its cable was pulled as its bootloader had all of an image: it starts once it has power again
            signs = named.product.signs or Signs(within=0.0, stays=0.0)
            start = _Start(
                device="", since=-inf, signs=signs, jobs=frozenset(), expected=frozenset({""}), is_open=False
            )
        lines = [line for voice in self._heard(named, start) for line in voice.lines(self.seen.now)]
        versions = [said_version(line.text) for line in lines if said_version(line.text)]
        match verdict.verdict:
            case Verdict.RUNS:
                is_so = any(_is_right(version, start.expected) for version in versions)
            case Verdict.ANOTHER_BUILD:
                is_so = any(not _is_right(version, start.expected - {""}) for version in versions)
            case _:
                is_so = any(CRASH in line.text for line in lines) or (start.signs.stays > 0 and bool(versions))
        if not is_so:
            raise self.broken(
                f"{what} has the verdict {verdict}, and since it left DFU mode nothing like that was said: "
                f"{[line.text for line in lines][-8:]}; to be said was {sorted(start.expected)}"
            )

    def _is_claimed(self, named: Named, device: str) -> bool:
        return claims(named, self.seen.devices[device])

    def _fates(self, start: _Start) -> set[Verdict]:
        """Return the verdicts that a start may have got, if nothing but its own application has had a part in it."""
        voice = next(v for v in self._voices if (v.spoken.device, v.spoken.at) == (start.device, start.since))
        deadline = voice.spoken.visible_at + start.signs.within
        return {
            fate
            for expected in start.expected
            for fate in fates(voice.spoken.lines, expected, deadline=deadline, stays=start.signs.stays)
        }


def fates(
    lines: Sequence[Said], expected: str, *, deadline: float, stays: float, ready_at: float | None = None
) -> set[Verdict]:
    """Return the verdicts that the lines of one application may lead to; `ready_at` is when it was ready."""
    due, fate = (deadline, Verdict.SILENT) if ready_at is None else (ready_at + stays, Verdict.RUNS)
    if not lines:
        return {fate}
    line, rest = lines[0], lines[1:]
    found = {fate} if line.at > due - SLACK_SECONDS else set[Verdict]()
    if line.at > due + SLACK_SECONDS:
        return found

    def go_on(rest: Sequence[Said], ready_at: float | None) -> set[Verdict]:
        return fates(rest, expected, deadline=deadline, stays=stays, ready_at=ready_at)

    version = said_version(line.text)
    is_right = bool(version) and (not expected or _is_same(version, expected))
    if not line.is_whole:
        found |= go_on(rest, ready_at)
        if is_right and ready_at is None:  # taken for all of it: then the rest of the line says nothing
            found |= go_on(rest[1:], line.at) if stays else {Verdict.RUNS}
        return found
    if CRASH in line.text or (is_right and ready_at is not None):
        return found | {Verdict.CRASHED}
    if version and not is_right:
        return found | {Verdict.ANOTHER_BUILD}
    if is_right and not stays:
        return found | {Verdict.RUNS}
    return found | go_on(rest, line.at if is_right else ready_at)


def _may_follow(before: Judgement, after: Judgement) -> bool:
    return before == after or after.verdict in LATER.get(before.verdict, ())


def _is_right(version: str, expected: Iterable[str]) -> bool:
    return any(not each or _is_same(version, each) for each in expected)


def _is_same(said: str, version: str) -> bool:
    """Tell whether a version is said; the image's is behind the name of its program."""
    return said in (version, version.rsplit(" ", maxsplit=1)[-1])
