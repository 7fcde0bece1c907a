"""The words with which a command line may go on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flashdeck_tui.tab_key.word_table import CommandWords, KnownOption, Values

SOCKET: Final = "--socket"
VIRTUAL: Final = "--virtual"
HOST: Final = "--host"
_END: Final = "--"
"""All words behind it are no options."""
_NOTHING: Final = Values()
_OTHER_PROGRAM: Final = Values(kinds=("file",))


@dataclass(frozen=True, slots=True)
class Word:
    """A word that may stand there, and what it is."""

    text: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class GoingOn:
    """The words that the one being typed may become."""

    words: tuple[Word, ...] = ()
    """Words that begin so."""
    kinds: tuple[str, ...] = ()
    """Kinds of values that are to be asked for."""
    begun: str = ""
    """The part of the word that is typed, or of the value in it."""
    before: str = ""
    """The part before the value in the same word, as `--board=`."""
    socket: str | None = None
    is_virtual: bool = False
    hosts: tuple[str, ...] = ()
    """The other machines that the command line is for; empty for this one."""


@dataclass(slots=True)
class _LineSoFar:
    """The words so far."""

    command: CommandWords
    open: KnownOption | None = None
    """The option whose value is next."""
    used: set[str] = field(default_factory=set[str])
    given: dict[str, str] = field(default_factory=dict[str, str])
    hosts: list[str] = field(default_factory=list[str])
    position: int = 0
    only_arguments: bool = False

    def take(self, word: str) -> bool:
        """Take the next word; return whether it may stand there."""
        if self.open is not None:
            self._give(self.open, word)
            self.open = None
        elif not self.only_arguments and word == _END:
            self.only_arguments = True
        elif not self.only_arguments and len(word) > 1 and word.startswith("-"):
            self._take_option(word)
        elif self.command.commands:
            found = self.command.commands.get(word)
            if found is None:
                return False
            self.command, self.used, self.position = found, set(), 0
        else:
            self.position += 1
        return True

    def _take_option(self, word: str) -> None:
        name, joined, value = word.partition("=")
        option = self.command.option(name)
        if option is None and not word.startswith("--"):
            name, joined, value = word[:2], word[2:], word[2:]  # -n20
            option = self.command.option(name)
        if option is None:
            return
        self.used.update(option.names)
        if option.values is None:
            self._give(option, "yes")
        elif joined:
            self._give(option, value)
        else:
            self.open = option

    def _give(self, option: KnownOption, value: str) -> None:
        for name in option.names:
            self.given[name] = value
        if HOST in option.names:
            self.hosts.append(value)


def going_on(table: CommandWords, words: Sequence[str], begun: str) -> GoingOn:
    """Return what may become of `begun`, the last word, behind `words`."""
    line = _LineSoFar(table)
    if not all(map(line.take, words)):
        return GoingOn()
    before = ""
    if line.only_arguments and line.command.is_before_another:
        wanted = _OTHER_PROGRAM
    elif line.open is not None:
        wanted = line.open.values or _NOTHING
    elif not line.only_arguments and begun.startswith("-"):
        name, joined, value = begun.partition("=")
        option = line.command.option(name)
        if not joined or option is None or option.values is None:
            return GoingOn(words=_options(line, begun), begun=begun)
        wanted, begun, before = option.values, value, f"{name}="
    elif line.command.commands:
        found = ((name, command.help) for name, command in line.command.commands.items())
        return GoingOn(words=tuple(Word(*each) for each in found if each[0].startswith(begun)), begun=begun)
    else:
        argument = line.command.argument(line.position)
        wanted = argument.values if argument is not None else _NOTHING
    return GoingOn(
        words=tuple(Word(choice) for choice in wanted.choices if choice.startswith(begun)),
        kinds=wanted.kinds,
        begun=begun,
        before=before,
        socket=line.given.get(SOCKET),
        is_virtual=VIRTUAL in line.given,
        hosts=tuple(dict.fromkeys(line.hosts)),
    )


def _options(line: _LineSoFar, begun: str) -> tuple[Word, ...]:
    return tuple(
        Word(name, option.help)
        for option in line.command.options
        if not option.is_hidden and (option.may_repeat or line.used.isdisjoint(option.names))
        for name in option.names
        if name.startswith(begun)
    )
