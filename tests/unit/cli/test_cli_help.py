"""Help as somebody reads it who has never seen the program: the same thing is said the same way in every command."""

from collections.abc import Iterator

import click
import pytest

from flashdeck_tui.cli.root import root
from flashdeckd.__main__ import main as daemon

TWO_MEANINGS = {"--for", "--image", "--settle", "--since", "--until"}
"""A FILE that is waited for, and what a board is taken for; the file of a lot, and a partition with its file; a time as
a person types it, and as a program does; a time of day, and the leave of a board; a time of day, and what a board
says."""


def opened(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """The context in which a command is found; it is remembered with the command how help is asked for."""
    return click.Context(command, parent, name, help_option_names=["-h", "--help"])


def commands(group: click.Command, path: str, context: click.Context) -> Iterator[tuple[str, click.Command, str]]:
    """Each command with its help."""
    yield path, group, group.get_help(context)
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, f"{path} {name}", opened(command, name, context))


ALL = [
    each
    for top, name in ((root, "flashdeck"), (daemon, "flashdeckd"))
    for each in commands(top, name, opened(top, name))
]


def options() -> Iterator[tuple[str, click.Option]]:
    for path, command, _ in ALL:
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield path, parameter


def test_an_option_of_one_name_takes_the_same_kind_of_value_everywhere() -> None:
    kinds: dict[str, dict[str, str]] = {}
    for path, option in options():
        if not option.is_flag:
            word = option.metavar or option.type.name
            kinds.setdefault(max(option.opts, key=len), {}).setdefault(word, path)
    assert {name for name, words in kinds.items() if len(words) > 1} == TWO_MEANINGS


@pytest.mark.parametrize(("path", "option"), list(options()), ids=lambda value: getattr(value, "name", None))
def test_each_option_says_what_it_is_for_and_its_default(path: str, option: click.Option) -> None:
    assert option.help, path
    assert option.help.endswith((".", ".]")), path
    if option.is_flag or isinstance(option.type, click.Choice):
        return
    assert option.metavar, f"{path} {option.opts}: a value has a name"
    if isinstance(option.default, int | float) or (isinstance(option.default, str) and option.default):
        assert option.show_default or "default" in option.help.lower(), f"{path} {option.opts}"


@pytest.mark.parametrize(("path", "said"), [(path, said) for path, _, said in ALL], ids=[path for path, *_ in ALL])
def test_a_number_that_is_an_exit_code_says_so(path: str, said: str) -> None:
    """ "(6)" means nothing to somebody who has not read the list of exit codes."""
    body = said.partition("Exit codes:")[0] if path == "flashdeck" else said
    for code in range(1, 15):
        assert f"({code})" not in body, path
    assert "ends with 1" not in " ".join(body.split()).lower(), "one word for it: exits with"
