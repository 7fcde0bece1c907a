"""Man pages in roff (man(7)), made of click's commands."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Final

import click

from flashdeck import __version__
from flashdeck_tui.cli.root import root
from flashdeckd.__main__ import main as daemon

_EXIT_CODES: Final = "Exit codes: "
_UNWRAPPED: Final = "\b\n"
"""click's mark before a paragraph whose lines are kept."""
_ESCAPES: Final = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"})
_ENVIRONMENT: Final = (
    ("FLASHDECK_SOCKET", "The daemon's socket, where --socket names none."),
    ("FLASHDECK_LEASE", "Set by 'flashdeck take' for its command: what that asks for is asked by the lease's holder."),
    ("NO_COLOR", "Set to anything: no colours."),
    ("XDG_RUNTIME_DIR, XDG_CONFIG_HOME, XDG_STATE_HOME", "Where socket, configuration and state are looked for."),
)
_FILES: Final = (
    ("~/.config/flashdeck/flashdeck.toml", "The configuration; 'flashdeck config check' names its mistakes."),
    ("~/.config/flashdeck/boards.toml", "The daemon's own: adopted and disarmed boards."),
    ("~/.local/state/flashdeck", "Journal, lock and kept images."),
    ("$XDG_RUNTIME_DIR/flashdeck/flashdeckd.sock", "The daemon's socket."),
    ("/etc/udev/rules.d/70-flashdeck.rules", "Access to devices, as 'flashdeck install' writes it."),
)
_EXAMPLES: Final = (
    ("flashdeck status", "what there is, problems first"),
    ("flashdeck flash app1 APP1.bin --board left", "a file into a partition of one board"),
    ("flashdeck flash APP1.hex", "a file with addresses, where it belongs"),
    ("flashdeck wait app1 --for APP1.bin --timeout 60", "until it is there and runs"),
    ("flashdeck flash app1 --json", "one JSON object, for scripts"),
)


def command_page() -> str:
    """Return flashdeck(1)."""
    lines = [*_head("flashdeck", "flash firmware onto boards over USB DFU"), *_synopsis(root, "flashdeck")]
    told = [text for text in _paragraphs(root) if not text.removeprefix(_UNWRAPPED).startswith(_EXIT_CODES)]
    codes = [text for text in _paragraphs(root) if text not in told]
    lines += [".SH DESCRIPTION", *_text(told), ".SH OPTIONS", *_options(root, "flashdeck"), ".SH COMMANDS"]
    for words, command in _commands(root, "flashdeck"):
        lines += [f".SS {_shown(words)}", *_command(command, words)]
    lines += [".SH EXIT STATUS", *_text([text.replace(_EXIT_CODES, "") for text in codes])]
    lines += [".SH ENVIRONMENT", *_tagged(_ENVIRONMENT), ".SH FILES", *_tagged(_FILES)]
    lines += [".SH EXAMPLES", *_tagged(_EXAMPLES), ".SH SEE ALSO", r".BR flashdeckd (1)"]
    return "\n".join(lines) + "\n"


def daemon_page() -> str:
    """Return flashdeckd(1)."""
    lines = [*_head("flashdeckd", "daemon that flashes fresh firmware builds over USB DFU")]
    lines += [*_synopsis(daemon, "flashdeckd"), ".SH DESCRIPTION", *_text(_paragraphs(daemon))]
    lines += [".SH OPTIONS", *_options(daemon, "flashdeckd"), ".SH COMMANDS"]
    for words, command in _commands(daemon, "flashdeckd"):
        lines += [f".SS {_shown(words)}", *_command(command, words)]
    lines += [".SH FILES", *_tagged(_FILES), ".SH SEE ALSO", r".BR flashdeck (1)"]
    return "\n".join(lines) + "\n"


def _head(name: str, purpose: str) -> list[str]:
    # Without a date: the same commands make the same page on any day.
    title = f'.TH {name.upper()} 1 "" "flashdeck {__version__}" "flashdeck"'
    return [title, ".SH NAME", rf"{name} \- {_shown(purpose)}"]


def _synopsis(command: click.Command, words: str) -> list[str]:
    return [".SH SYNOPSIS", f".B {_shown(words)}", _shown(" ".join(_usage(command, words)))]


def _usage(command: click.Command, words: str) -> Sequence[str]:
    return command.collect_usage_pieces(_context(command, words))


def _commands(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    context = _context(group, before)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before} {name}")
        elif command is not None:
            yield f"{before} {name}", command


def _command(command: click.Command, words: str) -> Iterator[str]:
    yield f".B {_shown(words)}"
    yield _shown(" ".join(_usage(command, words)))
    yield ".PP"
    yield from _text(_paragraphs(command))
    yield from _options(command, words)
    if command.epilog:
        yield ".PP"
        yield from _text([command.epilog])


def _paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def _text(paragraphs: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(paragraphs):
        if number:
            yield ".PP"
        if text.startswith(_UNWRAPPED):
            yield ".nf"
            yield from map(_shown, text.removeprefix(_UNWRAPPED).splitlines())
            yield ".fi"
        else:
            yield _shown(" ".join(text.split()))


def _options(command: click.Command, words: str) -> Iterator[str]:
    context = _context(command, words)
    found = (each.get_help_record(context) for each in command.get_params(context) if isinstance(each, click.Option))
    yield from _tagged([record for record in found if record is not None])


def _tagged(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, told in rows:
        yield ".TP"
        yield f".B {_shown(name)}"
        yield _shown(" ".join(told.split()))


def _context(command: click.Command, words: str) -> click.Context:
    """Return the context of a command that is called so, below those of the groups that it is in."""
    before, _, name = words.rpartition(" ")
    parent = _context(root if before.startswith("flashdeck") else daemon, before) if before else None
    return click.Context(command, parent=parent, info_name=name, help_option_names=["-h", "--help"])


def _shown(text: str) -> str:
    escaped = text.translate(_ESCAPES)
    return rf"\&{escaped}" if escaped.startswith((".", r"\(aq")) else escaped
