"""The acquisitions of all boards that are part of a lab, as far as they are known. Runs in the event loop's thread."""

from collections.abc import Callable, Iterable, Mapping

from flashdeck.config_labgrid import LabgridTable
from flashdeckd.jobs.lab_gate import LabGate, LabHolding


class LabBook:
    """The acquisitions of boards. Without [labgrid] in the configuration it says nothing of any board.

    A daemon that starts knows what an earlier one knew last, which is enough to keep a board from others, and lets no
    build start before a coordinator has said more.
    """

    def __init__(
        self, table: Callable[[], LabgridTable | None], changed: Callable[[Iterable[str] | None], object]
    ) -> None:
        """`table` is [labgrid] as it is now; `changed` is told of boards whose gate is another one, None for all."""
        self._table = table
        self._changed = changed
        self._known: dict[str, LabHolding | None] = {}
        """By board, of those of which a coordinator has said it."""
        self._remembered: dict[str, LabHolding] = {}
        """By board, what an earlier daemon knew."""
        self._begun: dict[str, LabHolding] = {}
        """By board, acquisitions that wait for the end of what runs there."""
        self._is_away = False

    def gate_of(self, board: str) -> LabGate | None:
        """Return what decides on the jobs of a board; None where it is part of no lab."""
        table = self._table()
        if table is None:
            return None
        return LabGate(
            holding=self._begun.get(board) or self._last_known(board),
            is_known=board in self._known,
            is_away=self._is_away,
            only_for=table.only_for or "",
        )

    @property
    def holdings(self) -> Mapping[str, LabHolding]:
        """All acquisitions, as they were known last."""
        known = {board: self._last_known(board) for board in {**self._remembered, **self._known}}
        return {board: holding for board, holding in known.items() if holding is not None}

    def _last_known(self, board: str) -> LabHolding | None:
        return self._known[board] if board in self._known else self._remembered.get(board)

    def remember(self, holdings: Mapping[str, LabHolding]) -> None:
        """Take over what an earlier daemon knew: it counts for each board until a coordinator has said more."""
        self._remembered = dict(holdings)
        self._changed(None)

    def take_over(self, holdings: Mapping[str, LabHolding | None]) -> None:
        """Note what a coordinator says of the boards that it knows; of others what was said last still counts."""
        was_away, self._is_away = self._is_away, False
        before, self._known = self._known, {**self._known, **holdings}
        changed = [board for board in self._known if before.get(board, self) != self._known[board]]
        if was_away or changed:
            self._changed(None if was_away else changed)

    def note_away(self) -> None:
        """Note that no coordinator can be asked; what is known of acquisitions stays."""
        if not self._is_away:
            self._is_away = True
            self._changed(None)

    def begin(self, board: str, holding: LabHolding) -> None:
        """Close a board for everybody from now on: a place wants it, and has it once nothing runs there."""
        self._begun[board] = holding
        self._changed((board,))

    def end_beginning(self, board: str, holding: LabHolding, *, is_acquired: bool) -> None:
        """Note that a place has got the board that it wanted, or has not."""
        if self._begun.get(board) is holding:
            del self._begun[board]
            if is_acquired:
                self._known[board] = holding
            self._changed((board,))

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Boards have other names."""
        self._known = {names.get(board, board): holding for board, holding in self._known.items()}
        self._remembered = {names.get(board, board): holding for board, holding in self._remembered.items()}

    def forget_all(self) -> None:
        """Know nothing any more, as at the start: it is another lab."""
        self._known, self._remembered, self._begun, self._is_away = {}, {}, {}, False
        self._changed(None)
