"""Actions on a whole host: look at it, give it a board, its configuration, a report of it."""

import asyncio
import time
from pathlib import Path

from flashdeck import api
from flashdeck.errors import RequestError
from flashdeck.names import few
from flashdeck.paths import absolute
from flashdeck.text import MAX_PATH, clean, counted
from flashdeck.words.tone import Phrase
from flashdeck_tui.actions.action import Action, Choice, Context, Needs
from flashdeck_tui.actions.many import boards_text, literals, on_each_host, targets, tell
from flashdeck_tui.own_command import OwnCommand, output_of
from flashdeck_tui.views.diagnosis_lines import diagnosis_lines, summary

_INIT = "init"
_PROFILE = "profile:"
_ANY = "any"
_REDACTED = "redacted"
_AS_IT_IS = "as it is"


# The doctor.


async def _doctor(context: Context) -> None:
    boards = targets(context)
    if not boards:
        await _doctor_of_host(context)
        return
    context.tell(f"Looking at {boards_text(boards)}; nothing is written.")
    answers = await on_each_host(context, boards, lambda mine: api.Examine(boards=literals(mine)))
    lines = [line for _, diagnosis in answers.given for line in diagnosis_lines(diagnosis)]
    found = "; ".join(summary(diagnosis) for _, diagnosis in answers.given)
    tell(context, f"The doctor found on {boards_text(boards)}: {found}.", answers)
    if lines:
        context.show_lines(f"doctor: {boards_text(boards)}", lines)


async def _doctor_of_host(context: Context) -> None:
    where = context.host.name or "this machine"
    context.tell(f"Looking at all boards of {where}; nothing is written.")
    diagnosis = await context.call(api.Examine())
    context.tell(f"The doctor found on {where}: {summary(diagnosis)}.")
    context.show_lines(f"doctor: {where}", diagnosis_lines(diagnosis))


# A device that is no board.


async def _adopt(context: Context) -> None:
    device = context.selection.device
    choices = [
        Choice(f"{_PROFILE}{name}", f"a board like {few(boards)}", f"profile {name}")
        for name, boards in _profiles(context).items()
    ]
    if choices:
        choices.insert(
            0, Choice(_ANY, "a board like those there are", "its USB id and its sectors say of which profile")
        )
    choices.append(Choice(_INIT, "a new product: set it up", "runs 'flashdeck init' in this terminal"))
    match await context.choose(f"The device at {device} is", choices):
        case "init":
            await _init(context)
        case str() as key:
            profile = "" if key == _ANY else key.removeprefix(_PROFILE)
            name = await context.ask(f"A name for the board at {device}", "Enter: flashdeck makes one", "")
            if name is not None:
                board = await context.call(api.Adopt(device=device, profile=profile, name=name))
                context.tell(f"{board.name} is a board of profile {board.profile} now, armed for new builds.")
        case _:
            pass


def _profiles(context: Context) -> dict[str, list[str]]:
    """Return the boards of each profile."""
    found: dict[str, list[str]] = {}
    for board in context.store.boards.values():
        found.setdefault(board.profile, []).append(board.name)
    return found


async def _init(context: Context) -> None:
    command = OwnCommand("", context.host.link.socket, ("init", "--device", context.selection.device))
    if context.host.name:
        raise RequestError(
            f"'flashdeck init' sets up a board of its own machine, and this one is at {context.host.name}",
            hint=f"run there: flashdeck init --device {context.selection.device}",
        )
    code = await context.run_command(command)
    if code is None:
        raise RequestError("this screen cannot give its terminal to a command", hint=f"run it in one: {command.shown}")
    ended = "The board is set up." if code == 0 else f"'flashdeck init' ended with {code}: nothing more was done."
    context.tell(ended, is_error=code != 0)


# A report.


def _report_why_not(context: Context) -> str | None:
    return context.why_no_file


async def _report(context: Context) -> None:
    names = await context.choose(
        "Serial numbers, host and user names in the report",
        [
            Choice(_REDACTED, "invented ones", "the same everywhere in it"),
            Choice(_AS_IT_IS, "as they are"),
        ],
    )
    if names is None:
        return
    usual = time.strftime("flashdeck-report-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime(context.now))
    answer = await context.ask_path("Write the report to a new file", f"Enter: {usual}", usual)
    if answer is None:
        return
    file = await asyncio.to_thread(absolute, answer)
    redact = ("--redact",) if names == _REDACTED else ()
    context.tell("Gathering the report.")
    host = context.host
    words = ("report", "--output", str(file), *redact)
    printed = await output_of(OwnCommand(host.name, host.link.socket, words, read_only=host.link.state.read_only))
    first, *parts = [line for line in printed.splitlines() if line.strip()] or [str(file)]
    context.tell(f"Report: {clean(first, MAX_PATH)}. Look into it before you hand it on.", parts)


# The configuration.


async def _reload(context: Context) -> None:
    reply = await context.call(api.ReloadConfig())
    files = few([Path(file).name for file in reply.configuration.files]) or "no file"
    changes = reply.changes or ("nothing is different for the boards",)
    waiting = [f"{file.file} waits for a confirmation" for file in reply.unconfirmed]
    context.tell(f"Read {files}: {counted(len(reply.changes), 'change')}.", (*changes, *waiting))


async def _trust(context: Context) -> None:
    """Confirm an included file, after its lines were shown: it is read again first, so that they are what counts."""
    files = (await context.call(api.ReloadConfig())).unconfirmed
    if not files:
        context.tell("No included file waits for a confirmation.")
        return
    choices = [Choice(str(number), file.file, counted(len(file.lines), "line")) for number, file in enumerate(files)]
    chosen = await context.choose("Confirm which file?", choices) if len(files) > 1 else "0"
    if chosen is None:
        return
    file = files[int(chosen)]
    lines = [Phrase(clean(line, MAX_PATH)) for line in file.lines]
    question = f"Confirm {clean(file.file, MAX_PATH)}?"
    if await context.confirm(
        question, f"These lines count from then on, for {few(file.boards) or 'the daemon'}:", lines
    ):
        reply = await context.call(api.TrustConfig(file=file.file))
        context.tell(f"Confirmed: {reply.file}.", reply.lines)


ACTIONS: tuple[Action, ...] = (
    Action(
        id="doctor",
        key="D",
        title="Doctor",
        description="Look for what is wrong with the board, or with all of the machine, and how to mend it.",
        needs=Needs.DAEMON,
        run=_doctor,
        changes=True,
        command="doctor",
    ),
    Action(
        id="doctor-of-machine",
        key="",
        title="Doctor of the machine",
        description="Look at all boards and at this installation.",
        needs=Needs.DAEMON,
        run=_doctor_of_host,
        changes=True,
        command="doctor",
    ),
    Action(
        id="adopt",
        key="i",
        title="Adopt",
        description="Make a device that is no board one, or set it up with 'flashdeck init'.",
        needs=Needs.DEVICE,
        run=_adopt,
        changes=True,
        command="adopt",
    ),
    Action(
        id="init",
        key="",
        title="Set up",
        description="Set up a device that is no board, as a new product, with 'flashdeck init' in this terminal.",
        needs=Needs.DEVICE,
        run=_init,
        changes=True,
        command="init",
    ),
    Action(
        id="report",
        key="",
        title="Report",
        description="Write all that somebody who helps you wants to see into one file. Nothing is sent.",
        check=_report_why_not,
        run=_report,
        command="report",
    ),
    Action(
        id="config-reload",
        key="",
        title="Read configuration",
        description="Let the daemon read its configuration again.",
        needs=Needs.DAEMON,
        run=_reload,
        changes=True,
        command="config reload",
    ),
    Action(
        id="config-trust",
        key="",
        title="Confirm configuration",
        description="Show the lines of an included file that do not count yet, and confirm them.",
        needs=Needs.DAEMON,
        run=_trust,
        changes=True,
        command="config trust",
    ),
)
