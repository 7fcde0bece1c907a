"""The doctor without a daemon: the same look at the same boards, with no socket and no job.

It holds the daemon's lock meanwhile, so that both never touch a board at once.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import usb.backend
from msgspec import structs

from flashdeck.config import Config
from flashdeck.config_file import board_file_damage, default_reading, reading_of
from flashdeck.diagnosis import Diagnosis, Finding, Severity
from flashdeck.errors import ConfigError
from flashdeck.job_state import Failure
from flashdeck.paths import board_file_path, default_config_path
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.real_usb import real_usb
from flashdeckd.consoles.consoles import CONSOLES_NAME, Consoles
from flashdeckd.diagnosis.doctor import Doctor
from flashdeckd.host import files
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.requests.by_build import rebuilt_into
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub, this_daemon
from flashdeckd.state.journal import Journal
from flashdeckd.state.place import own_place
from flashdeckd.usb.device import HotplugSource
from flashdeckd.usb.serial_ports import EmulatedPorts, SysfsSerialPorts

FIRST_LOOK_SECONDS = 10.0
"""The time that the bus may take to be listed."""
SETTLE_SECONDS = 1.0
"""The time after that in which devices may still be enumerated."""

_Bus = tuple[usb.backend.IBackend, HotplugSource, EmulatedPorts]


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """The places where a daemon would find its things."""

    state_dir: Path
    config: Path | None = None
    """None: the default one, where it exists."""
    virtual: Path | None = None
    """A bench file: emulated boards and nothing else (safety rule 10)."""


async def examine(place: DaemonPaths, patterns: Iterable[str] = ()) -> Diagnosis:
    """Return what a daemon at that place would find. Jobs stay as they are.

    Raises FlashdeckError (`already-running`) where a daemon has the place, RequestError (`no-such-board`), ConfigError
    where the bench file is unusable, and OSError where the directories cannot be used.
    """
    virtual = None if place.virtual is None else _emulated(place.virtual)
    damage = board_file_damage(board_file_path(place.config or default_config_path(virtual=virtual is not None)))
    try:
        reading = (
            reading_of(place.config, with_board_file=not damage)
            if place.config
            else default_reading(virtual=virtual is not None, with_board_file=not damage)
        )
        config = reading.checked()
    except ConfigError as error:
        return _without_config(error)
    async with AsyncExitStack() as stack:
        stack.enter_context(own_place(place.state_dir, hint="ask that one: flashdeck doctor"))
        return await _examine(place, config, virtual, tuple(patterns), stack, damage=damage)


async def _examine(
    place: DaemonPaths,
    config: Config,
    virtual: _Bus | None,
    patterns: tuple[str, ...],
    stack: AsyncExitStack,
    *,
    damage: str,
) -> Diagnosis:
    """`damage` is why boards.toml cannot be trusted, and was not read."""
    hub = Hub(this_daemon(virtual=virtual is not None))
    health = Health(hub)
    images = place.state_dir / "spool"
    journal = await Journal.open(place.state_dir / "journal.sqlite3", had_one=files.is_directory(images))
    stack.push_async_callback(journal.close)
    # Jobs are left to the next daemon: here none is to run, and none to be told that its board is gone.
    ledger = replace(await journal.load(), jobs=())
    spool = Spool(images)
    emulated = None
    if virtual is None:
        (backend, source), ports = await real_usb(health), SysfsSerialPorts()
    else:
        backend, source, ports = virtual
        emulated = ports.has
    bench = Bench(
        config,
        hub=hub,
        journal=journal,
        ledger=ledger,
        shelf=Shelf(spool),
        backend=backend,
        ports=ports,
        consoles=Consoles(hub, health, ports=ports, directory=place.state_dir / CONSOLES_NAME, emulated=emulated),
        rebuilt=rebuilt_into(spool),
        health=health,
    )
    await see(bench, source)
    health.report("usb", source.trouble, hint=source.hint)
    health.report("journal", journal.trouble)
    health.report("boards.toml", damage)
    found = await Doctor(bench, hub, state_dir=place.state_dir).examine(patterns)
    return structs.replace(found, offline=True)


async def see(bench: Bench, source: HotplugSource) -> None:
    """Show the bench what is on the bus, and wait a moment for what is just coming up."""
    async with aclosing(source.snapshots()) as snapshots:
        timeout = FIRST_LOOK_SECONDS
        while True:
            try:
                async with asyncio.timeout(timeout):
                    await bench.see(await anext(snapshots), source.unread)
            except (TimeoutError, StopAsyncIteration):
                return
            timeout = SETTLE_SECONDS


def _emulated(bench_file: Path) -> _Bus:
    from flashdeckd.virtual.virtual_bench import load_bench  # noqa: PLC0415 -- real boards are examined without any of it

    bench = load_bench(bench_file)
    return bench.backend, bench.hotplug, bench.ports


def _without_config(error: ConfigError) -> Diagnosis:
    findings = tuple(
        Finding(
            code="config-invalid",
            severity=Severity.ERROR,
            seen=each.message,
            means="flashdeckd does not start with this configuration, and no board can be looked at",
            mend=each.hint,
        )
        for each in error.parts
    )
    failure = Failure(kind=error.kind, message=error.message, hint=error.hint)
    return Diagnosis(installation=findings, offline=True, failure=failure)
