"""`flashdeck init`: from a plugged board to a configuration, and both images on it."""

import asyncio
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
from msgspec import UNSET
from msgspec.structs import replace as replace_fields

from flashdeck import api
from flashdeck.config import USB_ID, Enter, UsbId
from flashdeck.errors import ConfigError, ConnectionFailedError, ErrorKind, ExitCode, FlashdeckError, RequestError
from flashdeck.job_state import Failure
from flashdeck.model import DaemonState
from flashdeck.outcome import Outcome
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.spellings import NAME_RULE, is_name
from flashdeck.toml.tables import WrongValueError
from flashdeck.toml.values import header
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import FirstBoard, PartitionImage
from flashdeck_tui.cli.connect import ask, whereabouts
from flashdeck_tui.cli.daemon_program import builds_below, say_who_else_runs
from flashdeck_tui.cli.global_options import is_virtual_wanted, own_words
from flashdeck_tui.cli.installing import here_document, script_of
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.live_names import fixed
from flashdeck_tui.cli.orders import Order, tell_remarks
from flashdeck_tui.cli.output import is_terminal, put, put_json, say
from flashdeck_tui.first_steps.asked_questions import WrongAnswerError
from flashdeck_tui.first_steps.chip_choice import Flash, flash_of
from flashdeck_tui.first_steps.config_place import ConfigPlace, has_text
from flashdeck_tui.first_steps.dialogue import Ask
from flashdeck_tui.first_steps.doing import AGAIN, Doing
from flashdeck_tui.first_steps.draft import MAX_PROFILE
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import Check
from flashdeck_tui.first_steps.last_steps import WAITS, Steps, in_words
from flashdeck_tui.first_steps.person import Absent, Agreement, Person
from flashdeck_tui.first_steps.session import Session, facts_of, with_images
from flashdeck_tui.first_steps.setup import BoardSetup
from flashdeck_tui.first_steps.sources import FromDaemon, FromScan
from flashdeck_tui.first_steps.terminal_front import AtTerminal
from flashdeck_tui.first_steps.way_choice import COMMAND, command_of
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.steps import Run, StepResult, StepState, steps_of
from flashdeck_tui.installer.this_machine import ThisMachine, look, text_of
from flashdeck_tui.tab_key.shells import SHELLS


def _flash(value: str) -> Flash:
    try:
        return flash_of(value)
    except ConfigError as error:
        raise click.BadParameter(error.advice) from error


def _image(value: str) -> tuple[str, Path]:
    name, equals, path = value.partition("=")
    if not equals or not path or not is_name(name):
        raise click.BadParameter(f"write it as PARTITION=FILE; for the partition's name {NAME_RULE}")
    return name, Path(path)


def _profile(value: str) -> str:
    if value and (not is_name(value) or len(value) > MAX_PROFILE):
        raise click.BadParameter(f"use up to {MAX_PROFILE} letters, digits, dots, dashes and underscores")
    return value


def _usb_id(value: str) -> UsbId:
    try:
        found = USB_ID.read(value, Path())
    except WrongValueError as error:
        raise click.BadParameter(f"{error}; {error.hint}") from error
    assert isinstance(found, UsbId)  # noqa: S101 - that is what the spelling is of
    return found


def _settings(value: str) -> tuple[int | str, ...]:
    words = [word.strip() for word in value.split(",")]
    if not all(words):
        raise click.BadParameter("name a number or a name for each image, as 0,1")
    return tuple(int(word) if word.isascii() and word.isdecimal() else word for word in words)


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Ask nothing: take these options, and defaults for the rest.")
@click.option("--device", type=options.name, default="", metavar="PORT", help="The board's port or serial.")
@click.option("--chip", "flash", type=_flash, metavar="NAME", help="Its chip, as STM32H563RG, or its sectors.")
@click.option(
    "--image",
    "images",
    type=_image,
    multiple=True,
    metavar="PARTITION=FILE",
    help="An image, and a name for its partition (repeatable).",
)
@click.option(
    "--alt",
    "settings",
    type=_settings,
    metavar="N,…",
    help="On boards without addresses: the alternate setting of each image, in their order.",
)
@click.option("--banks", type=click.Choice(["trusted"]), help="This bootloader erases the bank that it is asked to.")
@click.option("--app", type=_usb_id, metavar="VID:PID", help="Its USB id while the application is running.")
@click.option(
    "--enter",
    metavar="WAY",
    shell_complete=fixed(*(way.value for way in Enter), f"{COMMAND}="),
    help="Way into DFU mode: detach, touch-1200, manual or command=PROGRAM. Default: what its application shows.",
)
@click.option("--enter-hint", default="", metavar="TEXT", help="With manual: what a person has to do.")
@click.option("--name", type=_profile, default="", metavar="NAME", help="A name for the product. Default: product.")
@click.option("--dry-run", is_flag=True, help="Print all of it as commands for a shell, and change nothing.")
@options.timeout(default=None, help="Stop following the flash after this long, and exit with 6.")
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    *,
    folder: Path,
    yes: bool,
    device: str,
    flash: Flash | None,
    images: tuple[tuple[str, Path], ...],
    settings: tuple[int | str, ...] | None,
    banks: str | None,
    app: UsbId | None,
    enter: str | None,
    enter_hint: str,
    name: str,
    dry_run: bool,
    timeout: float | None,
    as_json: bool,
) -> ExitCode:
    """Set up a first board: find it and the images below DIR, write the configuration, and flash.

    Asks at most five questions, on a terminal, and nothing is done before the last one, "Go ahead?". DIR is the
    project's directory, by default this one. Images are found where builds put them, with the address that they are
    linked for; what lies below the lowest one is protected. A file that is there is never changed.
    """
    if not yes and not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise click.UsageError(
            "flashdeck init asks on a terminal, and there is none. With --yes it asks nothing: --device, --chip, "
            "--image, --alt, --banks and --enter answer what is not clear"
        )
    given = Given(
        flash=flash,
        settings=settings,
        trusts_banks=banks is not None,
        map_is_right=yes,
        app=app,
        name=name,
        enter_hint=clean(enter_hint) if enter_hint else "",
    )
    given = _entering(given, enter)
    root = folder.absolute()
    if not root.is_dir():
        raise RequestError(f"there is no directory {clean(str(folder), MAX_PATH)}", hint="name that of the project")
    person: Person = Absent() if yes else AtTerminal(root=str(root))
    daemon = _daemon(context)
    place = ConfigPlace.of(daemon)
    machine = _machine(daemon)
    found = builds_below(root)
    facts, given = with_images(replace(facts_of(place, root, name), builds=found.builds or ()), given, images)
    for note in found.notes:
        person.say(note)
    source = FromScan(place.config) if daemon is None else FromDaemon()
    session = Session(facts, given, person, source, device)
    while True:
        setup = session.run()
        if not setup.text and not setup.images:
            return _nothing_to_do(setup, person, as_json=as_json)
        steps = _steps(place, setup, daemon, machine, facts.check)
        if dry_run:
            return _shown(steps, machine, own_words(context), as_json=as_json)
        answer = person.agrees(in_words(steps, root=root, home=Path.home()), setup.other_ways)
        if answer is not Agreement.OTHER_WAY or setup.other_ways is None:
            break
        session.ask(Ask(setup.other_ways))
    if answer is Agreement.NO:
        say("nothing was changed")
        return ExitCode.OTHER
    order = Order(no_wait=False, timeout=timeout, cancel_on_exit=False, as_json=as_json, as_jsonl=False)
    doing = Doing(steps, whereabouts(context), order, person.say, may_ask=not yes)
    return _done(doing, _carried_out(doing, machine), as_json=as_json)


def _entering(given: Given, enter: str | None) -> Given:
    """Return the answers with the way into DFU mode. Raises BadParameter."""
    if enter is None:
        return given
    word, _, more = enter.partition("=")
    try:
        if word == COMMAND:
            return replace(given, enter=command_of(more, Path.cwd()))
        if not more:
            return replace(given, enter=Enter(word))
    except WrongAnswerError as error:
        raise click.BadParameter(str(error), param_hint="--enter") from error
    except ValueError:
        pass  # it is none of them, which is said below
    raise click.BadParameter("use detach, touch-1200, manual or command=PROGRAM", param_hint="--enter")


def _daemon(context: click.Context) -> DaemonState | None:
    """Return the daemon; None where none was named and none answers."""
    is_named = is_virtual_wanted(context) or context.find_root().params["socket"] is not None
    try:
        return ask(api.GetStatus()).daemon
    except ConnectionFailedError as error:
        if error.kind is not ErrorKind.UNREACHABLE or is_named:
            raise
        say_who_else_runs(context)
        return None


def _machine(daemon: DaemonState | None) -> ThisMachine | None:
    """Return where things are installed; None for emulated boards. Raises RequestError before anything is asked."""
    return None if daemon is not None and daemon.virtual else look("", system=False)


def _steps(
    place: ConfigPlace, setup: BoardSetup, daemon: DaemonState | None, machine: ThisMachine | None, check: Check
) -> Steps:
    """Return what is to be done; for emulated boards nothing is installed."""
    file = place.file(setup.profile.name, setup.text)
    steps = Steps(
        setup=setup,
        main=place.main,
        file=file,
        is_there=has_text(file, setup.text),
        daemon_runs=daemon is not None,
    )
    if machine is None:
        return steps
    config = check(setup.text) if setup.text else place.config
    if daemon is not None:
        return replace(steps, install=tuple(needed_steps.access(machine, config, text_of)))
    missing = needed_steps.install(machine, config, text_of, lambda shell: SHELLS[shell].script, system=False)
    return replace(steps, install=tuple(missing))


def _nothing_to_do(setup: BoardSetup, person: Person, *, as_json: bool) -> ExitCode:
    person.say(f"Nothing to do: {setup.board} is configured already, and no build was found that it does not have.")
    if as_json:
        put_json(FirstBoard(board=setup.board, profile=setup.profile.name, file="", toml=""))
    return ExitCode.OK


def _shown(steps: Steps, machine: ThisMachine | None, program: Sequence[str], *, as_json: bool) -> ExitCode:
    """Print what would be done; `program` begins the commands that reach the same daemon."""
    if as_json:
        put_json(_answer(steps, dry_run=True))
        return ExitCode.OK
    lines: list[str] = []
    if steps.writes:
        lines += _writing(steps)
    if steps.include:
        lines += _including(steps)
    if machine is not None:
        lines += script_of(steps.install, machine)
    lines += [shlex.join((*program, "config", "reload"))] if steps.writes and steps.daemon_runs else []
    put("\n".join((*lines, *_flashing(steps, program))))
    return ExitCode.OK


def _writing(steps: Steps) -> Iterator[str]:
    """Yield the commands that write the file, and not over one that says something."""
    file = clean(str(steps.file), MAX_PATH)
    if steps.is_there:
        yield f"# {file} is there already"
        return
    yield shlex.join(("mkdir", "-p", clean(str(steps.file.parent), MAX_PATH)))
    target = f"> {shlex.quote(file)}"
    yield from here_document(f"cat {target}" if steps.file.exists() else f"(set -C; cat {target})", steps.setup.text)


def _including(steps: Steps) -> Iterator[str]:
    """Yield the commands that wait until a person has included the file, as `init` itself does."""
    main = clean(str(steps.main), MAX_PATH)
    yield shlex.join(("echo", f"Put this line at the top of {main}: {steps.include} Waiting for it."))
    show = shlex.join(("flashdeck", "config", "show", "--config", main))
    board = shlex.quote(header("boards", steps.setup.board))
    yield f"until {show} 2>/dev/null | grep -qxF {board}; do sleep 1; done"


def _flashing(steps: Steps, program: Sequence[str]) -> Iterator[str]:
    """Yield the commands that flash, all at once: otherwise the board may leave DFU mode between two of them."""
    images = steps.setup.images
    at_once = len(images) > 1
    if at_once:
        yield "# at once: one that comes after the board has left DFU mode waits until it is back"
    for image in images:
        if image.partition in steps.setup.waits_for_release:
            yield f"# {image.partition}: {WAITS}"
        words = (*program, "flash", image.partition, image.path, "--board", steps.setup.board)
        yield clean(shlex.join(words), MAX_PATH) + (" &" if at_once else "")
    if at_once:
        yield "wait"


def _carried_out(doing: Doing, machine: ThisMachine | None) -> Outcome:
    """Do it all. Raises FlashdeckError that says what to do next, where it ended half way."""
    try:
        doing.read()
        if doing.steps.writes:
            doing.write()
        if machine is not None:
            doing.install(machine)
        return asyncio.run(doing.flash())
    except FlashdeckError as error:
        raise _half_way(doing, error) from error


def _half_way(doing: Doing, error: FlashdeckError) -> FlashdeckError:
    """Return an error that says also what was done before it, and what is next."""
    if not doing.done:
        return error
    hint = f"{error.hint}; then {AGAIN}" if error.hint else AGAIN
    return FlashdeckError(f"{error.message} (done before: {', '.join(doing.done)})", hint=hint, kind=error.kind)


def _done(doing: Doing, done: Outcome, *, as_json: bool) -> ExitCode:
    """Print what became of it, as `flash` does."""
    tell_remarks(done)
    refused = None if doing.refused is None else _half_way(doing, doing.refused)
    if not as_json:
        code = put_result(done, as_json=False, as_jsonl=False)
        if refused is not None:
            raise refused
        if code is ExitCode.OK:
            doing.say("Done. From now on each build goes onto this board by itself. 'flashdeck' shows it.")
        return code
    error = done.failure
    if refused is not None:
        error = Failure(kind=refused.kind, message=refused.message, hint=refused.hint)
    answer = replace_fields(
        _answer(doing.steps, dry_run=False),
        install=doing.installed,
        jobs=done.jobs,
        notes=done.notes,
        error=UNSET if error is None else error,
    )
    put_json(answer)
    return done.exit_code if refused is None else refused.exit_code


def _answer(steps: Steps, *, dry_run: bool) -> FirstBoard:
    setup = steps.setup
    planned = tuple(
        StepResult(step=str(step), state=StepState.PLANNED, optional=isinstance(step, Run) and step.may_fail)
        for step in steps_of(steps.install)
    )
    return FirstBoard(
        board=setup.board,
        profile=setup.profile.name,
        file=clean(str(steps.file), MAX_PATH) if steps.writes else "",
        toml=setup.text,
        include=steps.include,
        images=tuple(
            PartitionImage(partition=each.partition, file=clean(each.path, MAX_PATH)) for each in setup.images
        ),
        dry_run=dry_run,
        install=planned,
    )
