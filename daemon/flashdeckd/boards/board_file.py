"""boards.toml, the file that the daemon itself writes: adopted boards, and which boards are disarmed.

`flashdeck.config_file` reads it, so that what a person wrote keeps its comments and is never rewritten.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import tomli_w

from flashdeck.config import Board
from flashdeck.config_file import BOARD_FILE_BEGIN, BOARD_FILE_END
from flashdeck.config_show import board_file_table
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.paths import PRIVATE_MODE
from flashdeck.text import clean, is_name
from flashdeck.toml.spellings import NAME_RULE
from flashdeck.toml.writer import to_plain
from flashdeckd.host import files
from flashdeckd.host.durable import name_aside, write_durably

HEADER = f"""\
{BOARD_FILE_BEGIN} `flashdeck adopt`, `flashdeck arm` and `flashdeck disarm` change it.
# What is added by hand is lost at the next of them: boards of your own go into the configuration beside it.
"""


def render_board_file(boards: Iterable[Board], disarmed: Collection[str], once: Collection[str] = ()) -> str:
    """The text of boards.toml: those of `boards` that have pins, the disarmed ones, and those armed for one job.

    Raises RequestError for a name that could not be read back.
    """
    table = board_file_table(boards, disarmed, once)
    for name in table.boards:
        if not is_name(name):
            raise RequestError(f'"{clean(name, 40)}" cannot be a board\'s name', hint=NAME_RULE)
    values = to_plain(table)
    return HEADER + ("\n" + tomli_w.dumps(values) if values else "") + f"\n{BOARD_FILE_END}\n"


def write_board_file(
    path: Path, boards: Iterable[Board], disarmed: Collection[str], once: Collection[str] = ()
) -> None:
    """Writes boards.toml, as a whole or not at all, also if the power fails; only its owner can read it.

    Only those of `boards` that have pins are in it. Blocks. Raises RequestError for a name that could not be read back,
    FlashdeckError where the file cannot be written.
    """
    data = render_board_file(boards, disarmed, once).encode()
    try:
        place = files.real_path(path)  # where it is a link into somebody's dotfiles, the link stays
        files.make_directory(place.parent, PRIVATE_MODE)
        write_durably(place, data)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        raise FlashdeckError(
            f"{clean(str(path))} cannot be written: {error.strerror}",
            hint="let the daemon write to the directory of its configuration",
            kind=ErrorKind.NO_PERMISSION if denied else ErrorKind.OTHER,
        ) from error


def set_board_file_aside(path: Path) -> Path:
    """Keep what a boards.toml that cannot be trusted has in a file beside it, and return the path of that.

    Blocks. Raises FlashdeckError where that is impossible.
    """
    place = files.real_path(path)
    kept = name_aside(place)
    try:
        write_durably(kept, files.contents(place))
    except OSError as error:
        raise FlashdeckError(
            f"{clean(str(path))} cannot be set aside: {error.strerror}",
            hint="let the daemon write to the directory of its configuration",
            kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
        ) from error
    return kept
