"""The pages that an action can open above the main screen."""

from enum import Enum, auto


class Page(Enum):
    """Each is about what is selected when it is opened."""

    FLASH_MAP = auto()
    HISTORY = auto()
    LOG = auto()
    SLOTS = auto()  # those of all hosts
    BOARD_LOG = auto()  # the log of the selected board alone
