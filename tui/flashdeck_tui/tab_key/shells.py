"""The shells that can ask: the script that makes each do it, how it asks, and how it is answered. Pure."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flashdeck_tui.tab_key import COMPLETE_VARIABLE
from flashdeck_tui.tab_key.going_on import Word

FILES: Final = ("file", "dir")
"""Kinds of values that a shell completes by itself."""
_PROGRAM: Final = "flashdeck"

Asked = tuple[list[str], str]
"""The words behind the program's name, and the one that is being typed."""


@dataclass(frozen=True, slots=True)
class Shell:
    """One shell."""

    script: str
    asked: Callable[[Mapping[str, str]], Asked]
    """Reads its question in the environment; raises LookupError or ValueError where there is none."""
    answered: Callable[[Iterable[Word], str, str, str], Iterable[str]]
    """Returns the lines of the answer: words, a kind of `FILES` or "", what there is of the word, and what stands
    before the value in it."""


def _words(line: str) -> list[str]:
    """Return the words of a line as a shell splits it; the last may lack its closing quote."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[str] = []
    try:
        found.extend(lexer)
    except ValueError:
        found.append(lexer.token)
    return found


def _at_cursor(environ: Mapping[str, str]) -> Asked:
    """Return the question of a shell that says all words, and which one of them is being typed."""
    words, at = _words(environ["COMP_WORDS"]), int(environ["COMP_CWORD"])
    if at < 1:
        raise ValueError(at)
    return words[1:at], words[at] if at < len(words) else ""


def _of_bash(environ: Mapping[str, str]) -> Asked:
    """Return the question of bash, which makes words of its own at `=`, `:` and `@`: the line itself is better."""
    line = environ.get("COMP_LINE", "")
    if not line:
        words, begun = _at_cursor(environ)
        return [word for word in words if word != "="], "" if begun == "=" else begun
    words = _words(line)
    return (words[1:], "") if line[-1].isspace() else (words[1:-1], words[-1])


def _of_fish(environ: Mapping[str, str]) -> Asked:
    words, begun = _words(environ["COMP_WORDS"])[1:], (_words(environ["COMP_CWORD"]) or [""])[-1]
    return words[:-1] if begun and words and words[-1] == begun else words, begun


def _for_bash(words: Iterable[Word], files: str, begun: str, _before: str) -> Iterable[str]:
    """Yield the rest of each word from the last place on at which bash begins a word of its own.

    By the usual COMP_WORDBREAKS that is behind a colon, and at an @, which stays in front of what it completes.
    """
    own = max(begun.rfind(":") + 1, begun.rfind("@"), 0)
    yield from (f"plain,{word.text[own:]}" for word in words)
    if files:
        yield f"{files},"


def _for_zsh(words: Iterable[Word], files: str, _begun: str, before: str) -> Iterable[str]:
    for word in words:
        yield from ("plain", before + word.text, word.help or "_")
    if files:
        yield from (files, before or "_", "_")


def _for_fish(words: Iterable[Word], files: str, begun: str, before: str) -> Iterable[str]:
    yield from (f"plain,{before}{word.text}" + (f"\t{word.help}" if word.help else "") for word in words)
    if files:
        yield f"{files},{begun}"


_BASH: Final = """\
_flashdeck_completion() {
    local line kind word IFS=$'\\n'
    COMPREPLY=()
    while IFS= read -r line; do
        kind=${line%%,*} word=${line#*,}
        case $kind in
            plain) COMPREPLY+=("$word") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(env @VARIABLE@=bash_complete COMP_LINE="${COMP_LINE:0:COMP_POINT}" \\
        COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" "$1")
}
complete -o nosort -F _flashdeck_completion flashdeck"""

_ZSH: Final = """\
#compdef flashdeck
_flashdeck() {
    local kind word about
    local -a lines words_alone words_described
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) @VARIABLE@=zsh_complete $words[1])}")
    for kind word about in $lines; do
        case $kind in
            plain)
                if [[ $about == _ ]]; then
                    words_alone+=("$word")
                else
                    words_described+=("${word//:/\\\\:}:$about")
                fi ;;
            file) [[ $word == _ ]] || compset -P '*='; _files ;;
            dir) [[ $word == _ ]] || compset -P '*='; _files -/ ;;
        esac
    done
    (( $#words_described )) && _describe -V -t words flashdeck words_described -U
    (( $#words_alone )) && compadd -U -V words -a words_alone
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _flashdeck "$@"
else
    compdef _flashdeck flashdeck
fi"""

_FISH: Final = """\
function _flashdeck_completion
    set -l program (commandline -opc)[1]
    for line in (COMP_WORDS=(commandline -cp | string collect) COMP_CWORD=(commandline -ct | string collect) \\
            @VARIABLE@=fish_complete $program)
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case file
                __fish_complete_path $parts[2]
            case dir
                __fish_complete_directories $parts[2]
        end
    end
end
complete --no-files --keep-order --command flashdeck --arguments '(_flashdeck_completion)'"""


def _script(template: str) -> str:
    return template.replace("@VARIABLE@", COMPLETE_VARIABLE)


SHELLS: Final[Mapping[str, Shell]] = {
    "bash": Shell(_script(_BASH), _of_bash, _for_bash),
    "zsh": Shell(_script(_ZSH), _at_cursor, _for_zsh),
    "fish": Shell(_script(_FISH), _of_fish, _for_fish),
}
NAMES: Final[Sequence[str]] = tuple(SHELLS)
