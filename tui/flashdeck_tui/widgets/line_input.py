"""A line to type in."""

from textual.reactive import reactive
from textual.widgets import Input


class LineInput(Input):
    """An input whose cursor stands still: one that blinks is sent twice a second, and most terminals are far away."""

    cursor_blink = reactive(False, init=False)  # noqa: FBT003 - as Textual declares it
