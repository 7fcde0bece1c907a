"""`flashdeckd`: reads its options and runs the daemon."""

import asyncio
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from flashdeck import __version__, paths
from flashdeck.config import DEFAULT_SETTLE
from flashdeck.diagnosis import exit_code
from flashdeck.errors import FlashdeckError, in_words
from flashdeck.extras import Extra, explained
from flashdeck.full_json import full_json
from flashdeck.job_state import Failure
from flashdeck.paths import absolute
from flashdeck.value import Value
from flashdeckd.host import processes
from flashdeckd.host.executor import at_work
from flashdeckd.host.service_manager import ServiceManager, inherited_socket
from flashdeckd.host.standard_input import lines_of_stdin
from flashdeckd.log_format import begin_log
from flashdeckd.signals import Signals

LAST_SECONDS = 5.0
"""Longest wait for work in threads that nobody waits for any more, such as a file that is just being written."""
_log = logging.getLogger(__name__)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


_config = click.option(
    "--config",
    type=EXISTING_FILE,
    metavar="FILE",
    help="The configuration. Default: ~/.config/flashdeck/flashdeck.toml.",
)
_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Journal, and copies of images. Default: ~/.local/state/flashdeck.",
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@_config
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The Unix socket to listen on. Default: flashdeck/flashdeckd.sock in $XDG_RUNTIME_DIR.",
)
@_state_dir
@click.option(
    "--virtual", type=EXISTING_FILE, metavar="FILE", help="Run a bench of emulated boards, and no real hardware at all."
)
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Record every control transfer of every session in DIR, one file a session; image bytes as hashes.",
)
@click.option("--record-payloads", is_flag=True, help="Record image bytes, too, so that reads can be replayed.")
@click.option("-v", "--verbose", is_flag=True, help="Log what is decided for each board, and why.")
@click.version_option(__version__, prog_name="flashdeckd", message="%(prog)s %(version)s")
@click.pass_context
def main(
    context: click.Context,
    *,
    config: Path | None,
    socket: Path | None,
    state_dir: Path | None,
    virtual: Path | None,
    record: Path | None,
    record_payloads: bool,
    verbose: bool,
) -> None:
    """Watches USB and build directories, and flashes fresh builds into their partitions by itself.

    With --virtual all default places are those of a bench, as ~/.config/flashdeck-virtual. Exits with 11 where the
    configuration is invalid, and else as 'flashdeck --help' says.
    """
    if context.invoked_subcommand is not None:
        if any(value not in (None, False) for value in context.params.values()):
            raise click.UsageError(f"options belong behind the command: flashdeckd {context.invoked_subcommand} --help")
        return
    if record_payloads and record is None:
        raise click.UsageError("--record-payloads says what to record, and nothing is recorded without --record DIR")
    begin_log(level=logging.DEBUG if verbose else logging.INFO)
    signals = Signals()
    with _ending(), signals.heard(), _told():
        with explained(Extra.DAEMON, "flashdeckd"):
            from flashdeckd.server import group_door  # noqa: PLC0415 -- only here can a missing extra be explained
            from flashdeckd.service import Options, serve  # noqa: PLC0415 -- the same

        is_virtual = virtual is not None
        environment = processes.environment()
        listener = inherited_socket(environment)
        places = paths.socket_places(None if socket is None else str(socket), virtual=is_virtual)
        place = Path(listener.getsockname()) if listener else places[0]
        named = group_door.group_named(absolute(config or paths.default_config_path(virtual=is_virtual)))
        group = group_door.door_group(named, is_handed=listener is not None) if named else None
        if group is not None:
            is_named = socket is not None or (not is_virtual and bool(processes.variable(paths.SOCKET_VARIABLE)))
            place = group_door.place_for_group(group, place, is_named=is_named, virtual=is_virtual)
        options = Options(
            socket=place,
            group=group,
            other_sockets=places,
            state_dir=state_dir or paths.state_dir(virtual=is_virtual),
            config=config,
            virtual=virtual,
            record=record,
            record_payloads=record_payloads,
            listener=listener,
        )
        asyncio.run(serve(options, signals, ServiceManager.of(environment)))


@main.command(short_help="Look at boards and this installation while no daemon runs.")
@click.argument("boards", nargs=-1, metavar="[BOARD]...")
@_config
@_state_dir
@click.option("--virtual", type=EXISTING_FILE, metavar="FILE", help="Look at a bench of emulated boards instead.")
def doctor(boards: tuple[str, ...], config: Path | None, state_dir: Path | None, virtual: Path | None) -> None:
    """Look at boards and at this installation while no daemon runs; erases and writes nothing.

    Prints one JSON object, as 'flashdeck doctor --json' does. Exits with 0 whatever it found, and with another code
    where it could not look.
    """
    begin_log(level=logging.WARNING)
    with _ending(), _told(as_json=True):
        with explained(Extra.DAEMON, "flashdeckd"):
            from flashdeckd.offline_doctor import DaemonPaths, examine  # noqa: PLC0415 -- the same

        place = DaemonPaths(state_dir or paths.state_dir(virtual=virtual is not None), config, virtual)
        diagnosis = asyncio.run(examine(place, boards))
        click.echo(full_json(diagnosis))
        sys.exit(exit_code(diagnosis, named=bool(boards)))


@main.command(short_help="List devices and builds, as one JSON object a line.")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@click.option("--no-devices", is_flag=True, help="Only look for builds, not at the USB.")
@click.option("--follow", is_flag=True, help="Go on telling when devices change, until standard input is closed.")
def scan(directory: Path | None, *, no_devices: bool, follow: bool) -> None:
    """List the devices that are plugged in and, with DIR, the builds below it.

    Prints JSON, one object a line: one with the devices as soon as they are known, one with the builds, the newest
    first. No device is opened, and no daemon is needed or asked.
    """
    if no_devices and (follow or directory is None):
        raise click.UsageError(
            "--follow is about devices" if follow else "nothing to look for: --no-devices needs a DIR"
        )
    begin_log(level=logging.WARNING)
    with _ending(), _told(as_json=True):
        with explained(Extra.DAEMON, "flashdeckd scan"):
            from flashdeckd.scanning.scan import scan as look  # noqa: PLC0415 -- the same
            from flashdeckd.usb.hotplug import PyudevHotplug  # noqa: PLC0415 -- the same

        source = None if no_devices else PyudevHotplug()
        with _plainly():
            asyncio.run(look(source, directory, lambda line: click.echo(full_json(line)), follow=follow))


@main.command(short_help="Tell of each new build of a file, as JSON objects, one a line.")
@click.argument("file")
@click.option(
    "--settle",
    type=click.FloatRange(0.001, 600),
    default=DEFAULT_SETTLE,
    show_default=True,
    metavar="SECONDS",
    help="How long FILE must be unchanged to count as built.",
)
def follow(file: str, settle: float) -> None:
    """Tell of each new build of FILE, a path or a glob, once it is whole, and hand on its bytes.

    Prints JSON, one object a line. The next build is looked for once a line 'taken' has come; it ends with its standard
    input. 'flashdeck follow' runs it beside itself; no daemon is needed or asked.
    """
    begin_log(level=logging.WARNING)
    with _ending(), _told(as_json=True):
        with explained(Extra.DAEMON, "flashdeckd follow"):
            from flashdeckd import following  # noqa: PLC0415 -- the same

        path = str(absolute(file))
        asyncio.run(following.follow(path, settle, _tell, lines_of_stdin()))


@main.command(short_help="Be a lab's way to the boards of a daemon, which runs this beside itself.")
def labgrid() -> None:
    """Take the boards of a daemon into the pool of a labgrid coordinator, and tell who acquires them.

    Takes and prints JSON, one object a line; the daemon runs it where its configuration has [labgrid]. It ends with its
    standard input.
    """
    begin_log(level=logging.WARNING)
    with _ending(), _told(as_json=True):
        with explained(Extra.LABGRID, "[labgrid]"):
            from flashdeckd.lab import lab_child  # noqa: PLC0415 -- the same
            from flashdeckd.lab.lab_lines import LONGEST_LAB_LINE  # noqa: PLC0415 -- the same

        asyncio.run(lab_child.speak(lines_of_stdin(LONGEST_LAB_LINE), _tell))


def _tell(line: Value) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def _plainly() -> Generator[None]:
    """Raises the one error of several tasks as it is."""
    try:
        yield
    except* OSError as errors:
        raise errors.exceptions[0] from None


@contextmanager
def _ending() -> Generator[None]:
    """Ends the process with the exit code of the block, also where a thread is stuck in the kernel.

    That thread is left behind: whatever would be taken down at the end of the interpreter may wait for it for ever.
    """
    code: object = 1
    try:
        yield
        code = 0
    except SystemExit as end:
        code = end.code or 0
        raise
    finally:
        if stuck := at_work(LAST_SECONDS):
            _log.warning("ends without waiting for what does not come back: %s", ", ".join(stuck))
            if sys.exc_info()[0] not in (None, SystemExit):
                _log.error("ends by a fault in flashdeckd", exc_info=True)
            logging.shutdown()
            sys.stdout.flush()
            processes.leave(code if isinstance(code, int) else 1)


@contextmanager
def _told(*, as_json: bool = False) -> Generator[None]:
    """Ends the process with what went wrong, in words, and with the error's exit code."""
    try:
        yield
    except FlashdeckError as error:
        _end(error, as_json=as_json)
    except OSError as error:
        _end(in_words(error), as_json=as_json)


def _end(error: FlashdeckError, *, as_json: bool) -> NoReturn:
    click.echo(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
    if as_json:
        click.echo(full_json({"error": Failure(kind=error.kind, message=error.message, hint=error.hint)}))
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
