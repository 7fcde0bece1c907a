"""The configuration in force: read again when it changes or somebody asks, refused whole or taken over."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from flashdeck.api import ConfigReloaded, ConfigTrusted, UnconfirmedFile
from flashdeck.config import Config
from flashdeck.config_change import Changes, changes, succeeding
from flashdeck.config_file import Reading
from flashdeck.config_record import ConfigRecord, record_of
from flashdeck.config_trust import Unconfirmed, confirming, included, restricted, widening
from flashdeck.errors import ConfigError, FlashdeckError, RequestError
from flashdeck.job_state import Running, is_under_way
from flashdeck.model import ConfigurationState, LogLevel
from flashdeck.names import few
from flashdeck.paths import BOARD_FILE_NAME
from flashdeck.text import MAX_PATH, clean
from flashdeck.words.configuration import refusal_text
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.enrolment import Enrolment
from flashdeckd.builds.builds import Builds, Watch
from flashdeckd.builds.file_changes import FileChanges, States, states_of
from flashdeckd.host import clock, files, threads
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.jobs.restart import why_without_target
from flashdeckd.requests.by_build import BuildRequests
from flashdeckd.state.config_record_file import ConfigRecordFile
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal

PART: Final = "configuration"
"""The name under which its troubles are reported."""
FRESH_SECONDS: Final = 2.0
"""A file that changed so shortly before it was read may have changed behind that, too: it is read once more."""
LONGEST_REST: Final = 1.0
"""Seconds that its own files have to rest at most before they are read again: a longer `settle` is for slow builds."""

Read = Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The configuration with which a daemon starts."""

    reading: Reading
    states: States
    config: Config
    """As far as it counts."""
    record: ConfigRecord
    """The one that the last daemon ran with."""
    changes: Changes
    """The differences to that one."""
    unconfirmed: tuple[Unconfirmed, ...]
    confirmed: Mapping[str, tuple[str, ...]]
    """The included files that count as confirmed because this is the first start, with their keys."""


def begin(read: Read, records: ConfigRecordFile) -> Beginning:
    """Return the configuration to start with; blocks. Raises ConfigError, and HostError where the record fails."""
    reading, states = _looked_at(read)
    config = reading.checked()
    record = records.load()
    confirmed: dict[str, tuple[str, ...]] = {}
    if record is None:
        record = ConfigRecord()
        for path, own in included(config).items():
            confirmed[path] = tuple(widening(own))
            record = confirming(record, path, own)
    config, unconfirmed = restricted(config, record)
    done = changes(record, record_of(config))
    config = _armed_by_new_names(config, done)
    return Beginning(reading, states, config, record, done, unconfirmed, confirmed)


async def follow_in_journal(journal: Journal, done: Changes) -> None:
    """Let what the journal has follow the names and places of a new configuration; raises FlashdeckError."""
    await journal.follow_names(done.renamed, done.mark)
    for board, partitions in done.elsewhere.items():
        for partition in partitions:
            await journal.forget_contents(board, partition)


def watches_of(config: Config) -> list[Watch]:
    """Return the image files that a configuration names."""
    return [
        Watch(profile=profile.name, partition=partition.name, pattern=partition.image, settle=partition.settle)
        for profile in config.profiles.values()
        for partition in profile.partitions.values()
        if partition.image
    ]


def rest_of(config: Config) -> float:
    """Return for how many seconds the files of a configuration have to rest before they are read again."""
    return min(config.daemon.settle, LONGEST_REST)


class Configuration:
    """Reads the configuration again and lets everybody follow it. Runs in the event loop's thread only."""

    def __init__(
        self,
        read: Read,
        begun: Beginning,
        *,
        bench: Bench,
        builds: Builds,
        by_build: BuildRequests,
        enrolment: Enrolment,
        hub: Hub,
        health: Health,
        records: ConfigRecordFile,
    ) -> None:
        self._read = read
        self._record = begun.record
        self._states = begun.states
        self._rest = rest_of(begun.config)
        self._bench = bench
        self._builds = builds
        self._by_build = by_build
        self._enrolment = enrolment
        self._hub = hub
        self._health = health
        self._records = records
        enrolment.tell_of_adopted(self._record_adopted)
        self._reading = asyncio.Lock()
        self._read_again = asyncio.Event()
        self._told: set[str] = set()
        """The included files of which it was told that something does not count."""

    async def start(self, begun: Beginning) -> None:
        """Do what is left of a beginning, once the boards are there."""
        done = begun.changes
        self._hub.log(f"configuration: read from {_paths(begun.config)}")
        for path, lines in begun.confirmed.items():
            keys = f": {'; '.join(lines)}" if lines else ""
            self._hub.log(f"{path} was included when this release first started: it counts as confirmed{keys}")
        for line in _told_of_names(done):
            self._hub.log(f"configuration: {line}")
        is_durable = await self._hold(done.held)
        for profile, partition in self._moved(done):
            self._bench.files.note_moved(profile, partition)
            await self._by_build.offer_again(profile, partition)
        read = begun.reading.checked()
        is_filed = await self._file_names(begun.config, read)
        await self._enrolment.mark_file()
        self._tell_unconfirmed(begun.unconfirmed)
        if is_durable and is_filed:
            await self._keep(succeeding(self._record, record_of(begun.config), done))
        self._publish(begun.config)

    async def follow(self, asked: asyncio.Event, looks: QuietLooks) -> None:
        """Read the configuration again whenever one of its files changes, or `asked` is set; never ends by itself."""
        changed = FileChanges(looks)
        while True:
            self._read_again.clear()
            waits = (
                asyncio.create_task(changed.settled(self._states, self._rest, self._note_changed)),
                asyncio.create_task(asked.wait()),
                asyncio.create_task(self._read_again.wait()),
            )
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                outcomes = await asyncio.gather(*waits, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
            if self._read_again.is_set() and not asked.is_set():
                continue
            asked.clear()
            try:
                await self.reload()
            except FlashdeckError:
                continue  # it was told where it was met

    async def reload(self) -> ConfigReloaded:
        """Read the configuration again and take it over; returns once all of that is done.

        A bad one is refused whole: ConfigError, and the old one stays. Raises FlashdeckError where the disk keeps it
        from being taken over.
        """
        async with self._reading, self._enrolment.filing:
            config = await self._checked()
            return await self._take(config)

    async def trust(self, file: str) -> ConfigTrusted:
        """Let the keys of an included file count as it is now; raises RequestError where no such file is included."""
        async with self._reading, self._enrolment.filing:
            config = await self._checked()
            own = included(config)
            path = await threads.run(_same_file, file, tuple(own))
            if path is None and await threads.run(_same_file, file, tuple(map(str, config.files[1:]))):
                return ConfigTrusted(file=file)  # it has no profiles, hooks or hosts: nothing has to be confirmed
            if path is None:
                main = config.files[0] if config.files else None
                if main is not None and await threads.run(_same_file, file, (str(main),)):
                    raise RequestError(f"{clean(file)} is the main file: all of it counts without being confirmed")
                listed = few([clean(name) for name in own])
                raise RequestError(
                    f"{clean(file)} is not included by the configuration",
                    hint=f"included: {listed}" if listed else "no file is included",
                )
            _, before = restricted(config, self._record)
            lines = next((each.lines for each in before if str(each.file) == path), ())
            record = confirming(self._record, path, own[path])
            await threads.run(self._records.save, record)
            self._record = record
            counting = tuple(widening(own[path])) or lines
            self._hub.log(f"{path} is confirmed" + (f": {'; '.join(counting)}" if counting else ""))
            await self._take(config)
        return ConfigTrusted(file=path, lines=counting)

    async def _checked(self) -> Config:
        """Return what the files have now; raises ConfigError, which everybody can see from then on."""
        reading, self._states = await threads.run(_looked_at, self._read)
        self._read_again.set()
        lost = [each for each in self._bench.config.files if reading.config and each not in reading.config.files]
        missing = [each for each in lost if each in reading.files]  # it is only not included any more otherwise
        error = reading.error
        if missing:
            error = ConfigError(
                f"{clean(str(missing[0]), MAX_PATH)}: there is no such file any more",
                hint="put it back, or an empty one in its place",
            )
        if error is not None:
            text = refusal_text(error)
            hint = "the configuration that was read before stays in force; mend it: it is read again by itself"
            self._health.report(PART, f"refused: {text}", hint=hint)
            self._publish(self._bench.config, refused=text)
            raise ConfigError(text, hint=hint)
        return reading.checked()

    async def _take(self, config: Config) -> ConfigReloaded:
        try:
            reloaded = await self._take_over(config)
        except FlashdeckError as error:
            hint = "`flashdeck config reload` tries again"
            self._health.report(PART, f"not taken over completely: {error.message}", hint=hint)
            raise
        self._health.report(PART, "")
        return reloaded

    async def _take_over(self, config: Config) -> ConfigReloaded:
        bench, before = self._bench, self._bench.config
        config, unconfirmed = restricted(config, self._record)
        after = record_of(config)
        done = changes(self._record, after)
        renamed = {old: new for old, new in done.renamed.items() if old in bench.lanes or new not in bench.lanes}
        former = {new: old for old, new in renamed.items()}
        read = config
        config = _armed_by_new_names(config, done)
        others = tuple(_told(before, config, done))
        moved = sorted(self._moved(done, config))
        async with bench.reshaping:
            # The record stays behind where a hold could not be kept: what is in force now is compared, too.
            held = {**changes(record_of(before), after).held, **done.held}
            is_durable = await self._hold({former.get(name, name): why for name, why in held.items()})
            for profile, partition in moved:
                bench.files.note_moved(profile, partition)
            # Boards get their other names once what runs on them has ended.
            bench.configure(_until_renamed(before, config, renamed))
            ending = self._without_target(config, done, renamed)
            under_way = {number for number in ending if is_under_way(bench.book.job(number).status)}
            await bench.end_jobs({number: why for number, why in ending.items() if number not in under_way})
            self._rewatch(before, config)
            for profile, partition in moved:
                await self._by_build.offer_again(profile, partition)
        await bench.see(bench.devices, bench.unread)
        gone = [name for name in bench.lanes if name not in config.boards and name not in renamed]
        displaced = [name for name in renamed.values() if name in bench.lanes and name not in renamed]
        await asyncio.gather(
            bench.end_jobs({number: ending[number] for number in under_way}),
            bench.retire((*gone, *displaced)),
            self._rename(renamed, config, done.mark),
            *(self._forget(former.get(name, name), partitions) for name, partitions in done.elsewhere.items()),
        )
        self._rest = rest_of(config)
        is_filed = await self._file_names(config, read)
        if is_durable and is_filed:
            await self._keep(succeeding(self._record, after, done))
        self._tell_unconfirmed(unconfirmed)
        self._publish(config)
        if replace(config, files=before.files) != before:
            self._hub.log(f"configuration: read again from {_paths(config)}")
        for line in others:
            self._hub.log(f"configuration: {line}")
        return ConfigReloaded(
            configuration=self._state(config),
            changes=(*_told_of_names(done), *others),
            unconfirmed=tuple(
                UnconfirmedFile(file=clean(str(each.file), MAX_PATH), lines=each.lines, boards=each.boards)
                for each in unconfirmed
            ),
        )

    async def _rename(self, names: Mapping[str, str], config: Config, mark: str) -> None:
        bench = self._bench
        if not names:
            return
        lanes = [bench.lanes[name] for name in names if name in bench.lanes]
        await asyncio.gather(*(lane.rest() for lane in lanes))
        try:
            # The board whose name is given to another one has to be gone first.
            replaced = [name for name in names.values() if name in bench.lanes and name not in names]
            await self._hub.until(lambda: not any(name in bench.lanes for name in replaced))
            async with bench.gate.still(names), bench.reshaping:
                await bench.rename_boards(names, config, mark)
        finally:
            for lane in lanes:
                lane.go_on()
        await bench.see(bench.devices, bench.unread)

    async def _forget(self, board: str, partitions: Iterable[str]) -> None:
        """Forget what partitions had that are elsewhere now, once what runs at their former place has ended."""
        book = self._bench.book
        for partition in partitions:
            mine = [job.id for job in book.active(board) if job.partition == partition]
            await self._hub.until(lambda ids=mine: not any(isinstance(book.job(each).status, Running) for each in ids))
            await book.forget(board, partition)

    def _without_target(self, config: Config, done: Changes, renamed: Mapping[str, str]) -> dict[int, str]:
        """Return, with the reason, the jobs that have no target any more.

        One that runs on a partition that was moved ends as it began; one on a partition that is protected now is
        stopped by its lane.
        """
        bench = self._bench
        reasons: dict[int, str] = {}
        for name in [name for name in bench.lanes if name in renamed or name not in renamed.values()]:
            now = renamed.get(name, name)
            board = config.boards.get(now)
            for job in bench.book.active(name):
                has_place = board is not None and job.partition in board.profile.partitions
                why = why_without_target(job, board, done.elsewhere.get(now, ()))
                if why and not (has_place and isinstance(job.status, Running)):
                    reasons[job.id] = why
        return reasons

    def _rewatch(self, before: Config, config: Config) -> None:
        """Look after the files that are named now; one whose partition takes other images is looked at anew."""
        watches = watches_of(config)
        if watches == watches_of(before) and config.profiles == before.profiles:
            return
        kept = [watch for watch in watches if not _takes_others(watch, before, config)]
        if len(kept) < len(watches):
            self._builds.rewatch(kept)
        self._builds.rewatch(watches)

    async def _hold(self, reasons: Mapping[str, str]) -> bool:
        """Put boards on hold; return whether that will outlive the daemon."""
        is_durable = True
        for name, reason in reasons.items():
            try:
                await self._bench.hold_for_changes(name, reason)
            except FlashdeckError as error:
                is_durable = False
                text = f"the hold could not be recorded: {error.message}"
                self._hub.log(text, level=LogLevel.ERROR, board=name)
        return is_durable

    async def _file_names(self, config: Config, read: Config) -> bool:
        """Let boards.toml have the names that boards have now, where it was `read` with others; return if it has.

        Where it has not, the former configuration stays on record: boards are renamed by it again, and stay disarmed.
        """
        trouble = hint = ""
        if (config.disarmed, config.once) != (read.disarmed, read.once):
            try:
                await self._enrolment.file(config)
            except FlashdeckError as error:
                trouble, hint = f"it keeps former names of boards: {error.message}", error.hint
        self._health.report(f"names in {BOARD_FILE_NAME}", trouble, hint=hint)
        return not trouble

    async def _keep(self, record: ConfigRecord) -> None:
        """Keep what is in force now.

        Not to be done where a hold or a name is not kept: the next reload, or daemon, has to find the difference again.
        """
        self._record = record
        try:
            await threads.run(self._records.save, record)
        except FlashdeckError as error:
            self._health.report(f"{PART} record", error.message, hint=error.hint)
        else:
            self._health.report(f"{PART} record", "")

    async def _record_adopted(self, name: str) -> None:
        """Keep what an adopted board is: the next daemon has to find what changes of it, as of any other."""
        board = record_of(self._bench.config).boards[name]
        await self._keep(structs.replace(self._record, boards={**self._record.boards, name: board}))

    def _moved(self, done: Changes, config: Config | None = None) -> set[tuple[str, str]]:
        boards = (config or self._bench.config).boards
        return {
            (boards[name].profile.name, partition)
            for name, partitions in done.elsewhere.items()
            for partition in partitions
            if partition in boards[name].profile.partitions
        }

    def _tell_unconfirmed(self, unconfirmed: Sequence[Unconfirmed]) -> None:
        parts = {f"included {clean(str(each.file), MAX_PATH)}": each for each in unconfirmed}
        for part in self._told - parts.keys():
            self._health.report(part, "")
        for part, each in parts.items():
            self._health.report(part, "not confirmed: " + "; ".join(each.lines), hint=each.hint, boards=each.boards)
        self._told = set(parts)

    def _note_changed(self) -> None:
        now = self._hub.daemon.configuration
        if now is not None and not now.changed:
            changed = structs.replace(now, changed=True)
            self._hub.publish_daemon(structs.replace(self._hub.daemon, configuration=changed))

    def _state(self, config: Config, refused: str = "") -> ConfigurationState:
        now = self._hub.daemon.configuration
        return ConfigurationState(
            files=tuple(clean(str(file), MAX_PATH) for file in config.files),
            read_at=now.read_at if refused and now is not None else clock.now(),
            changed=bool(refused),
            refused=refused,
        )

    def _publish(self, config: Config, refused: str = "") -> None:
        state = self._state(config, refused)
        limit = config.daemon.max_per_controller
        self._hub.publish_daemon(structs.replace(self._hub.daemon, configuration=state, max_per_controller=limit))


def _looked_at(read: Read) -> tuple[Reading, States]:
    """Return what was read, and how the files were before that: what changes later is seen as a change."""
    began = clock.now()
    reading = read()
    states = states_of(reading.files)
    newest = max((getattr(each, "changed_ns", 0) for each in states.values()), default=0)
    if newest / 1e9 < began - FRESH_SECONDS:
        return reading, states
    again = read()
    return again, {path: states.get(path) for path in map(str, again.files)}


def _same_file(wanted: str, paths: Iterable[str]) -> str | None:
    real = files.real_path(wanted)
    return next((path for path in paths if path == wanted or files.real_path(path) == real), None)


def _until_renamed(before: Config, after: Config, renamed: Mapping[str, str]) -> Config:
    """Return a later configuration in which the boards that get other names have their former ones.

    They are recognised as before, and what is protected now is so at once.
    """
    names = {*renamed, *renamed.values()}
    former = {name: board for name, board in before.boards.items() if name in names}
    former |= {
        old: replace(former[old], profile=after.boards[new].profile) for old, new in renamed.items() if old in former
    }
    others = {name: board for name, board in after.boards.items() if name not in renamed.values()}
    disarmed = after.disarmed | {old for old, new in renamed.items() if new in after.disarmed}
    once = after.once | {old for old, new in renamed.items() if new in after.once}
    return replace(after, boards={**others, **former}, disarmed=disarmed, once=once)


def _armed_by_new_names(config: Config, done: Changes) -> Config:
    """Return a configuration in which renamed boards are armed, armed once or disarmed as under their old names."""
    disarmed, once = (
        frozenset(done.renamed.get(name, name) for name in names) for names in (config.disarmed, config.once)
    )
    return replace(config, disarmed=disarmed, once=once)


def _takes_others(watch: Watch, before: Config, after: Config) -> bool:
    """Tell whether a partition that was there is another one now in more than how its file is watched."""
    old = before.profiles.get(watch.profile)
    was = None if old is None else old.partitions.get(watch.partition)
    now = after.profiles[watch.profile].partitions[watch.partition]
    return was is not None and replace(was, settle=now.settle, auto=now.auto) != now


def _paths(config: Config) -> str:
    return ", ".join(str(file) for file in config.files) or "no file"


def _told_of_names(done: Changes) -> Iterator[str]:
    for old, new in done.renamed.items():
        yield f"board {old} is called {new} now"
    for name in done.gone:
        yield f"board {name} is no longer in the configuration"


def _told(before: Config, after: Config, done: Changes) -> Iterator[str]:
    earlier = {new: old for old, new in done.renamed.items()}
    for name, board in after.boards.items():
        was = before.boards.get(earlier.get(name, name))
        if was is None or (name in done.renamed and name not in earlier):
            yield f"board {name} is new"
        elif name in done.held:
            yield f"board {name} is on hold: {done.held[name]}"
        elif replace(was, name=name) != board:
            yield f"board {name} has other settings"
    if before.daemon.max_per_controller != after.daemon.max_per_controller:
        limit = after.daemon.max_per_controller
        yield f"at most {limit} boards of one controller at once" if limit else "no limit for a controller any more"
    for name in sorted(before.disarmed ^ after.disarmed):
        if name in after.boards and name in before.boards:
            yield f"board {name} is {'disarmed' if name in after.disarmed else 'armed'}"
