"""The composition root: builds every part, joins their loops, and takes them down in order."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import usb.backend

from flashdeck import __version__, api
from flashdeck.config_file import Reading, board_file_damage, default_reading, reading_of
from flashdeck.paths import BOARD_FILE_NAME, absolute, board_file_path, default_config_path
from flashdeck.text import clean
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.board_file import set_board_file_aside, write_board_file
from flashdeckd.boards.board_file_mark import BoardFileMark
from flashdeckd.boards.enrolment import Enrolment
from flashdeckd.boards.leases import Leases
from flashdeckd.boards.real_usb import real_usb
from flashdeckd.builds.builds import Builds
from flashdeckd.builds.source import BuildSource
from flashdeckd.consoles.consoles import CONSOLES_NAME, Consoles
from flashdeckd.diagnosis.doctor import Doctor
from flashdeckd.host import files, threads
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.host.service_manager import ServiceManager
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.jobs.hooks import HookRunner
from flashdeckd.jobs.restart import queue_again
from flashdeckd.jobs.spooling import Spooling
from flashdeckd.lab.lab_record_file import LabRecordFile
from flashdeckd.lab.lab_watch import LabWatch
from flashdeckd.metrics.metrics_endpoint import MetricsEndpoint
from flashdeckd.requests.by_build import BuildRequests, rebuilt_into
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.requests.following_consoles import ConsoleRequests
from flashdeckd.requests.going_back import RollbackRequests
from flashdeckd.requests.going_back_itself import SelfRollback
from flashdeckd.requests.moving import MoveRequests
from flashdeckd.requests.past_jobs import HistoryRequests
from flashdeckd.requests.past_log import LogRequests
from flashdeckd.requests.placing import PlaceRequests
from flashdeckd.requests.reloading import Configuration, begin, follow_in_journal, watches_of
from flashdeckd.requests.verbs import VerbRequests
from flashdeckd.requests.waiting import WaitRequests
from flashdeckd.server.doorkeeper import Doorkeeper
from flashdeckd.server.endpoint import Endpoint, Listener, claimed
from flashdeckd.server.group_door import DoorGroup
from flashdeckd.server.handlers import (
    Handlers,
    configuration_handlers,
    console_handlers,
    for_holders,
    history_handlers,
    lease_handlers,
    log_handlers,
    queue_handlers,
    recording_handlers,
    rollback_handlers,
    version_handlers,
)
from flashdeckd.server.members import Members
from flashdeckd.server.server import Handler, Server
from flashdeckd.server.slot_handlers import slot_handlers
from flashdeckd.server.uploads import Uploads
from flashdeckd.signals import Signals
from flashdeckd.slotting.lot_book import LotBook
from flashdeckd.slotting.slot_requests import SlotRequests
from flashdeckd.slotting.unit_keeper import Units
from flashdeckd.slotting.unit_work import UnitWork
from flashdeckd.state.config_record_file import ConfigRecordFile
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub, this_daemon
from flashdeckd.state.journal import Journal, Ledger
from flashdeckd.state.kept_log import KeptLog
from flashdeckd.state.place import own_place, watch
from flashdeckd.supervision import LaneSign, Supervision
from flashdeckd.usb.device import HotplugSource
from flashdeckd.usb.enumeration import enumeration_of
from flashdeckd.usb.libusb import library_version
from flashdeckd.usb.record_directory import RecordDirectory
from flashdeckd.usb.recording_backend import Recorder, RecordingBackend
from flashdeckd.usb.serial_ports import EmulatedPorts, SerialPorts, SysfsSerialPorts

FIRST_LOOK_SECONDS = 5.0
"""Longest wait of the socket for the first look at bus and builds. The first client finds the boards then, and only
later builds count as new."""
BOARD_FILE_HINT = "arm them again: `flashdeck arm BOARD`; boards that were adopted have to be adopted again"
"""The way on where boards.toml could not be trusted."""
RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a hotplug source that died is started again; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Options:
    """The places of a daemon's things."""

    socket: Path
    state_dir: Path
    config: Path | None = None
    """None: the default one, where it exists."""
    virtual: Path | None = None
    """A bench file: emulated boards and nothing else (safety rule 10)."""
    other_sockets: tuple[Path, ...] = ()
    """The places where clients look, too, should the first one be lost."""
    record: Path | None = None
    """A directory for recordings of every session with every device; None: nothing is recorded."""
    record_payloads: bool = False
    """True: image bytes are recorded, too, and not only their hashes."""
    group: DoorGroup | None = None
    """The group whose members may connect, too; None: only the daemon's own user, and root."""
    listener: Listener | None = None
    """The listening socket at `socket` that a service manager has made; None: the daemon makes its own."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """A bench of emulated boards: its bus, and the methods of the socket that only such a daemon has."""

    backend: usb.backend.IBackend
    hotplug: HotplugSource
    ports: EmulatedPorts
    handlers: Mapping[type[api.Params[Any]], Handler]


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a daemon, where whoever runs it has made them: a simulation exchanges them here."""

    emulated: Emulated
    builds: BuildSource


async def serve(
    options: Options, signals: Signals, manager: ServiceManager | None = None, outside: Edges | None = None
) -> None:
    """Run a daemon until a signal ends it; a running job is parked at its next safe point first.

    A service manager hears when it is ready, how things are, and that its parts answer. `outside` takes the place of
    the bench file, and of the watch on builds.

    Raises ConfigError, FlashdeckError (`already-running`), and OSError where its directories cannot be used.
    """
    async with AsyncExitStack() as stack:
        asked = stack.enter_context(signals.asked())
        hint = "talk to that one (`flashdeck status`), or give this one a --state-dir and a --socket of its own"
        place = stack.enter_context(own_place(options.state_dir, hint=hint))
        virtual = outside.emulated if outside is not None else _emulated(options.virtual)
        endpoint = stack.enter_context(claimed(options.socket, options.listener, options.group))
        place.lock.say_socket(endpoint.path)
        hub, health, kept_log = await _hub(stack, options)
        images = options.state_dir / "spool"
        main_file = absolute(options.config or default_config_path(virtual=virtual is not None))
        read = partial(reading_of, main_file) if options.config else partial(default_reading, virtual=bool(virtual))
        mark = BoardFileMark(options.state_dir, board_file_path(main_file))
        await _heed_lost_board_file(board_file_path(main_file), mark, read, health)
        config_records = ConfigRecordFile(options.state_dir)
        begun = await threads.run(begin, read, config_records)
        journal = await Journal.open(options.state_dir / "journal.sqlite3", had_one=files.is_directory(images))
        stack.push_async_callback(journal.close)
        await follow_in_journal(journal, begun.changes)
        ledger = await journal.load()
        journal.watch(lambda trouble: health.report("journal", trouble))
        for artifact in ledger.artifacts.values():
            hub.publish_artifact(artifact)
        spool = Spool(images)
        backend, source = await real_usb(health) if virtual is None else (virtual.backend, virtual.hotplug)
        libusb = "not loaded" if backend is None or virtual is not None else library_version(backend)
        backend, records = _recorded(backend, options, hub, health)
        bench = Bench(
            begun.config,
            hub=hub,
            journal=journal,
            ledger=ledger,
            shelf=Shelf(spool),
            backend=backend,
            ports=_ports(virtual),
            consoles=_consoles(options, hub, health, virtual),
            rebuilt=rebuilt_into(spool),
            health=health,
        )
        await bench.hold_unknown(ledger)
        await queue_again(bench.book, begun.config, begun.changes.elsewhere)
        manager, looks = manager or ServiceManager(), QuietLooks()
        _tell_others(stack, bench, hub, health, options, looks)
        enrolment = Enrolment(bench, hub, backend, board_file_path(main_file), mark, health=health)
        notes, leases = FileNotes(), _leases(stack, bench, hub, health, endpoint=endpoint, options=options)
        spooling = Spooling(
            spool,
            book=bench.book,
            hub=hub,
            health=health,
            ledger=ledger,
            kept=lambda: (bench.config.daemon.keep_builds, bench.config.daemon.spool_limit),
        )
        journal.watch_room(spooling.make_room)
        unit_work, slots = _slots(stack, bench, hub, journal=journal, ledger=ledger, spooling=spooling)
        by_build = BuildRequests(bench, hub, journal, spooling, notes)
        builds = Builds(
            watches_of(begun.config),
            by_build.settled,
            None if outside is None else outside.builds,
            on_trouble=lambda part, trouble, hint: health.report(part, trouble, hint=hint),
            unreadable=by_build.unreadable,
            settling=by_build.being_written,
            kept_open=by_build.kept_open,
        )
        configuration = Configuration(
            read,
            begun,
            bench=bench,
            builds=builds,
            by_build=by_build,
            enrolment=enrolment,
            hub=hub,
            health=health,
            records=config_records,
        )
        await configuration.start(begun)
        by_hand, waits = HandRequests(bench, builds, hub, notes), WaitRequests(bench, builds, hub)
        methods = Handlers(
            hub,
            bench,
            enrolment=enrolment,
            by_hand=by_hand,
            verbs=VerbRequests(bench),
            waits=waits,
            doctor=Doctor(bench, hub, state_dir=options.state_dir, sockets=options.other_sockets),
            leases=leases,
        )
        handlers: dict[type[api.Params[Any]], Handler] = {
            **methods.table(),
            **Uploads(by_build.accept, by_build.pushed, PlaceRequests(bench, spooling, notes).place).handlers(),
            **lease_handlers(leases),
            **console_handlers(ConsoleRequests(bench)),
            **queue_handlers(MoveRequests(bench)),
            **rollback_handlers(RollbackRequests(bench, journal, hub, by_hand), by_hand),
            **history_handlers(HistoryRequests(bench, journal)),
            **log_handlers(LogRequests(bench, hub, kept_log)),
            **recording_handlers(records),
            **version_handlers(libusb),
            **configuration_handlers(configuration),
            **slot_handlers(slots),
        }
        if virtual is not None:
            handlers |= virtual.handlers
        server = Server(
            hub,
            for_holders(handlers, is_in_lab=lambda: bench.config.labgrid is not None),
            members=Members(options.group, in_force=lambda: bench.config.daemon.group),
            on_trouble=lambda trouble, hint: health.report("clients", trouble, hint=hint),
        )
        parts = {"journal": journal.answers, "builds": builds.answers, "hotplug": bench.answers}
        supervision = Supervision(manager, hub=hub, health=health, parts=parts, lanes=lambda: _signs(bench))
        asked.started.set()
        await _run(
            asked.to_end,
            endpoint,
            server,
            hub=hub,
            bench=bench,
            builds=builds,
            source=source,
            health=health,
            always=(
                kept_log.run(),
                spooling.run(),
                unit_work.run(),
                SelfRollback(bench, journal, hub).run(),
                watch(place, journal, health, looks),
                configuration.follow(asked.to_reload, looks),
                looks.run(),
            ),
            door=Doorkeeper(endpoint, options.other_sockets, server, health, moved=place.lock.say_socket, looks=looks),
            manager=manager,
            supervision=supervision,
        )


def _tell_others(  # noqa: PLR0917 - those of its one caller
    stack: AsyncExitStack, bench: Bench, hub: Hub, health: Health, options: Options, looks: QuietLooks
) -> None:
    """Let hooks and Prometheus hear of what happens, where the configuration wants that."""
    stack.push_async_callback(HookRunner(hub, bench.book, health, lambda: bench.config.hooks).close)
    metrics = MetricsEndpoint(hub, health, options.state_dir, lambda: bench.config.metrics.listen, looks)
    stack.push_async_callback(metrics.close)


async def _hub(stack: AsyncExitStack, options: Options) -> tuple[Hub, Health, KeptLog]:
    """Return the hub, what does not work, and the log on the disk, which is closed last."""
    kept_log = await KeptLog.begin(options.state_dir / "log.sqlite3")
    stack.push_async_callback(kept_log.close)
    group = "" if options.group is None else clean(options.group.name)
    hub = Hub(this_daemon(virtual=options.virtual is not None, group=group), first_line=kept_log.next_line)
    hub.listen(lambda event: kept_log.add(event.log) if event.log is not None else None)
    health = Health(hub)
    kept_log.watch(lambda trouble, hint: health.report("log", trouble, hint=hint))
    return hub, health, kept_log


def _slots(
    stack: AsyncExitStack, bench: Bench, hub: Hub, *, journal: Journal, ledger: Ledger, spooling: Spooling
) -> tuple[UnitWork, SlotRequests]:
    """Return who looks after the units in slots, and who takes what is asked of them."""
    lots = LotBook(hub, journal, ledger.lots)
    spooling.of_lots = lambda: lots.images
    units = Units(bench, hub, journal=journal, ledger=ledger, lots=lots, enumeration_of=enumeration_of)
    stack.push_async_callback(units.close)
    return UnitWork(bench, hub, units, lots), SlotRequests(bench, journal, lots)


async def _run(
    stop: asyncio.Event,
    endpoint: Endpoint,
    server: Server,
    *,
    hub: Hub,
    bench: Bench,
    builds: Builds,
    source: HotplugSource,
    health: Health,
    always: Iterable[Coroutine[Any, Any, None]],
    door: Doorkeeper,
    manager: ServiceManager,
    supervision: Supervision,
) -> None:
    """Do everything at once until `stop` is set, and then end all of it; `always` is what else never ends by itself."""
    scanned = asyncio.Event()
    tasks = [
        *(asyncio.create_task(each) for each in always),
        asyncio.create_task(follow_bus(source, bench, health, scanned)),
        asyncio.create_task(builds.run()),
        asyncio.create_task(supervision.run()),
        asyncio.create_task(bench.run()),
    ]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())  # none of them ends by itself: one that does has failed
    try:
        await first_look(scanned, builds, stop)
        async with server.listening(endpoint):
            hub.log(f"flashdeckd {__version__} listens on {endpoint.path}")
            tasks.insert(0, asyncio.create_task(door.run()))
            manager.ready()
            await stop.wait()
            manager.stopping()
            hub.log("flashdeckd ends: running jobs stop at their next safe point")
            bench.stop()
            await tasks[-1]
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def first_look(scanned: asyncio.Event, builds: Builds, stop: asyncio.Event) -> None:
    """Wait until bus and builds were looked at once: `FIRST_LOOK_SECONDS` at most, and not where it is to stop."""

    async def look() -> None:
        await scanned.wait()
        await builds.looked()

    tasks = [asyncio.create_task(look()), asyncio.create_task(stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=FIRST_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def follow_bus(source: HotplugSource, bench: Bench, health: Health, scanned: asyncio.Event) -> None:
    """Follow the bus for ever; a source that fails is reported and started again."""
    failures = 0
    while True:
        try:
            async with aclosing(source.snapshots()) as snapshots:
                async for devices in snapshots:
                    failures = 0
                    health.report("usb", source.trouble, hint=source.hint)
                    await bench.see(devices, source.unread)
                    scanned.set()
        except OSError as error:
            health.report("usb", f"hotplug stopped ({error})", hint="it is started again by itself")
        await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)])
        failures += 1


async def _heed_lost_board_file(
    board_file: Path, mark: BoardFileMark, read: Callable[..., Reading], health: Health
) -> None:
    lost = await threads.run(_begin_lost_board_file_anew, board_file, mark, read)
    health.report(BOARD_FILE_NAME, lost, hint=BOARD_FILE_HINT)


def _begin_lost_board_file_anew(board_file: Path, mark: BoardFileMark, read: Callable[..., Reading]) -> str:
    """Disarm all boards where boards.toml is gone or cannot be trusted; return what was done, "" where nothing.

    Nobody knows which of them were. What is there is kept. `read` reads the configuration, without boards.toml where it
    is asked to. Blocks. Raises ConfigError.
    """
    files.sync_what_is_left(files.real_path(board_file).parent)
    damage = board_file_damage(board_file)
    if not damage and not mark.is_lost:
        return ""
    boards = read(with_board_file=False).checked().boards
    if damage:
        kept = set_board_file_aside(board_file)
        why = f"{damage}: it was kept as {clean(kept.name)}, and"
    else:
        why = "is gone:"
    write_board_file(board_file, (), boards)
    return f"{clean(str(board_file))} {why} all boards are disarmed"


def _emulated(bench_file: Path | None) -> Emulated | None:
    if bench_file is None:
        return None
    # Imported here: a daemon for real boards loads nothing of it (safety rule 10).
    from flashdeckd.virtual.methods import virtual_handlers  # noqa: PLC0415
    from flashdeckd.virtual.virtual_bench import load_bench  # noqa: PLC0415

    bench = load_bench(bench_file)
    return Emulated(bench.backend, bench.hotplug, bench.ports, virtual_handlers(bench))


def _leases(
    stack: AsyncExitStack, bench: Bench, hub: Hub, health: Health, *, endpoint: Endpoint, options: Options
) -> Leases:
    """Return all leases; boards of a lab are offered there, and follow who has acquired them."""
    leases = Leases(bench, hub)
    watch = LabWatch(bench, leases, hub, health, socket_path=endpoint.path, record=LabRecordFile(options.state_dir))
    stack.push_async_callback(watch.close)
    return leases


def _ports(virtual: Emulated | None) -> SerialPorts:
    return SysfsSerialPorts() if virtual is None else virtual.ports


def _consoles(options: Options, hub: Hub, health: Health, virtual: Emulated | None) -> Consoles:
    directory = options.state_dir / CONSOLES_NAME
    emulated = None if virtual is None else virtual.ports.has
    return Consoles(hub, health, ports=_ports(virtual), directory=directory, emulated=emulated)


def _signs(bench: Bench) -> Iterator[LaneSign]:
    for name, lane in bench.lanes.items():
        yield LaneSign(name, lane.has_work, lane.is_past_deadline)


def _recorded(
    backend: usb.backend.IBackend | None, options: Options, hub: Hub, health: Health
) -> tuple[usb.backend.IBackend | None, RecordDirectory | None]:
    """Return the backend that records what the given one does, where that is wanted, and where it does."""
    if options.record is None:
        return backend, None
    records = RecordDirectory(options.record)
    if backend is None:
        return None, records
    hub.log(f"every session with a device is recorded in {clean(str(records.path))}")
    return RecordingBackend(backend, _recorder(records, health, payloads=options.record_payloads)), records


def _recorder(directory: RecordDirectory, health: Health, *, payloads: bool) -> Recorder:
    loop = asyncio.get_running_loop()

    def tell(trouble: str) -> None:
        with contextlib.suppress(RuntimeError):  # the daemon has ended meanwhile: nobody is left to be told
            loop.call_soon_threadsafe(health.report, "record", clean(trouble))

    return Recorder(directory, payloads=payloads, on_trouble=tell)
