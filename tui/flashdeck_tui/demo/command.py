"""`flashdeck demo`: the terminal interface where there is a terminal, else the loop; ends in order whatever ends it."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from flashdeck.errors import ErrorKind, ExitCode, FlashdeckError
from flashdeck.extras import Extra, explained, require
from flashdeck.job_state import Failure
from flashdeck_tui import terminal
from flashdeck_tui.cli.output import complain, is_terminal, put, put_json, report, say
from flashdeck_tui.demo.demo_bench import demo_bench
from flashdeck_tui.demo.demo_report import Report, complaints, table
from flashdeck_tui.demo.keeper import STOP_WITHIN
from flashdeck_tui.demo.loop import build_and_land

TIME_LIMIT = 240.0
"""Seconds for everything between the daemon's start and its end, where nobody is needed."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_WITHIN = 2 * STOP_WITHIN
"""Seconds for an orderly end after one of them; what is left of the demo then ends by itself."""

T = TypeVar("T")


class _InterruptedError(Exception):
    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


def run(*, once: bool, json: bool) -> int:
    """Plays the demo on a terminal, or runs it unattended: with `once` or `json`, and where there is no terminal.

    Unattended, it builds twice, waits for both builds on all three boards, and prints what is there now. Returns the
    exit code. Raises FlashdeckError where the demo could not be run to its end; the end of the daemon's log is then on
    stderr. Nothing is left behind in any case. 2 where it is to be played and the terminal cannot show the screen, and
    129 where the terminal has gone before it began.
    """
    require(Extra.DAEMON, "the demo")
    if terminal.has_gone():
        return terminal.GONE  # nobody is there to read what the demo would say without a screen
    has_screen = terminal.has_driver() or all(map(is_terminal, (sys.stdin, sys.stdout, sys.stderr)))
    unattended = once or json or not has_screen
    try:
        return asyncio.run(until_signal(play_by_itself(as_json=json) if unattended else _played()))
    except _InterruptedError as end:
        with contextlib.suppress(OSError):  # the terminal may be what went away
            report(Failure(kind=ErrorKind.INTERRUPTED, message=f"the demo was stopped by {end}"), as_json=json)
        return 128 + end.number
    except FlashdeckError as error:
        for note in error.remarks:
            for line in note.splitlines():
                complain(line)
        raise


async def _played() -> int:
    require(Extra.TUI, "the screen", otherwise="'flashdeck demo --once' works without it")
    if refused := terminal.refusal(instead="flashdeck demo --once"):
        complain(refused)
        return ExitCode.USAGE
    terminal.end_with_it()  # before the slow part: it may close while the screen starts
    with explained(Extra.TUI, "the screen"):
        from flashdeck_tui.demo.play import play  # noqa: PLC0415 - an extra, and slow to import
    if trouble := terminal.driver_trouble():
        complain(trouble)
        return ExitCode.USAGE
    return await play()


async def play_by_itself(*, as_json: bool) -> int:
    """Build twice, wait for both builds on all boards, and print what is there; return the exit code."""
    say("starting flashdeckd with three emulated boards")
    async with demo_bench() as own:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                if not own.firmware.compiles:
                    say("no arm-none-eabi-gcc here: the builds are the checked-in image")
                first = await build_and_land(own)
                say("changing one line of version.h")
                own.firmware.change_version()
                second = await build_and_land(own)
        except TimeoutError:
            raise FlashdeckError(f"not done after {TIME_LIMIT:g} s", kind=ErrorKind.TIMEOUT) from None
    rows = first + second
    result = Report(compiled=own.firmware.compiles, rows=rows, complaints=complaints(rows))
    if as_json:
        put_json(result)
    else:
        put(table(result.rows))
    for complaint in result.complaints:
        complain(f"error: {complaint}")
    return ExitCode.FAILED if result.complaints else ExitCode.OK


async def until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, which the first signal cancels; later ones wait for it to clean up."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        loop.call_soon_threadsafe(task.cancel)

    with terminal.ended_by(_SIGNALS, stop, within=END_WITHIN):
        try:
            result = await task
        except asyncio.CancelledError:
            if received:
                raise _InterruptedError(received[0]) from None
            raise
    if received:  # Textual ends quietly where it is cancelled
        raise _InterruptedError(received[0])
    return result
