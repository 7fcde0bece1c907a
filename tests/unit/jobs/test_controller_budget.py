"""The places of host controllers: never more than the limit, none idle while somebody waits, the longest first."""

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flashdeckd.jobs.controller_budget import ControllerBudget

CONTROLLERS: Final = ("pci-a", "pci-b")
WHO: Final = st.integers(0, 7)
LIMITS: Final = st.one_of(st.none(), st.integers(1, 4))


class Places(RuleBasedStateMachine):
    """Boards that ask, have, give back and leave at random, beside a plain list of who came when."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = ControllerBudget[int](2)
        self.limit: int | None = 2
        self.has: dict[int, str] = {}
        self.waits: list[tuple[int, str]] = []
        """Who waits, and where, the longest first."""

    @rule(who=WHO, controller=st.sampled_from(CONTROLLERS))
    def ask(self, who: int, controller: str) -> None:
        if who in self.has:
            assert self.budget.ask(who, controller) is (self.has[who] == controller)
            return
        got = self.budget.ask(who, controller)
        if (who, controller) not in self.waits:
            self.waits = [each for each in self.waits if each[0] != who]
            self.waits.append((who, controller))
        assert got is (who in self.expected())

    @rule(who=WHO)
    def give_back(self, who: int) -> None:
        self.has.pop(who, None)
        assert list(self.budget.give_back(who)) == self.expected()

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        where = [each[1] for each in self.waits if each[0] == who]
        line = [each[0] for each in self.waits if each[1] in where]
        self.waits = [each for each in self.waits if each[0] != who]
        assert list(self.budget.leave(who)) == (line[line.index(who) + 1 :] if where else [])
        assert self.expected() == []

    @rule(limit=LIMITS)
    def set_limit(self, limit: int | None) -> None:
        self.limit = limit
        assert set(self.budget.set_limit(limit)) == set(self.expected())

    @rule(who=WHO, controller=st.sampled_from(CONTROLLERS))
    def take(self, who: int, controller: str) -> None:
        self.waits = [each for each in self.waits if each[0] != who]
        self.has.setdefault(who, controller)
        self.budget.take(who, controller)

    def expected(self) -> list[int]:
        """Give places to those who wait longest, and return them."""
        got: list[int] = []
        for who, controller in list(self.waits):
            if self.limit is None or len(self.busy(controller)) < self.limit:
                self.waits.remove((who, controller))
                self.has[who] = controller
                got.append(who)
        return got

    def busy(self, controller: str) -> set[int]:
        return {who for who, where in self.has.items() if where == controller}

    @invariant()
    def all_is_as_in_the_list(self) -> None:
        for controller in CONTROLLERS:
            assert set(self.budget.busy(controller)) == self.busy(controller)
            line = [who for who, where in self.waits if where == controller]
            assert list(self.budget.waiting(controller)) == line
            for index, who in enumerate(line):
                seen = self.budget.line(who)
                assert seen is not None
                assert (seen.controller, list(seen.ahead)) == (controller, line[:index])
        assert {who for who in range(8) if self.budget.has(who)} == self.has.keys()
        assert set(self.budget.everybody_waiting()) == {who for who, _ in self.waits}

    @invariant()
    def nobody_waits_where_there_is_room(self) -> None:
        for _, controller in self.waits:
            assert self.limit is not None
            assert len(self.busy(controller)) >= self.limit


TestPlaces = Places.TestCase


def test_a_lower_limit_lets_those_end_that_are_busy() -> None:
    budget = ControllerBudget[str](3)
    assert all(budget.ask(who, "pci") for who in "abc")
    assert budget.set_limit(1) == ()
    assert not budget.ask("d", "pci")
    assert budget.give_back("a") == ()
    assert budget.give_back("b") == ()
    assert budget.give_back("c") == ("d",)


def test_who_asks_again_begins_at_the_end() -> None:
    budget = ControllerBudget[str](1)
    assert budget.ask("a", "pci")
    assert not budget.ask("b", "pci")
    assert budget.give_back("a") == ("b",)
    assert not budget.ask("c", "pci")
    assert not budget.ask("a", "pci")
    assert budget.waiting("pci") == ("c", "a")


def test_what_hung_and_goes_on_counts_again() -> None:
    budget = ControllerBudget[str](1)
    assert budget.ask("a", "pci")
    assert budget.give_back("a") == ()  # given up as lost
    assert budget.ask("b", "pci")
    budget.take("a", "pci")
    assert not budget.ask("c", "pci")
    assert budget.give_back("b") == ()
    assert budget.give_back("a") == ("c",)


def test_nothing_is_kept_of_controllers_without_boards() -> None:
    budget = ControllerBudget[int](1)
    for number in range(100):
        assert budget.ask(1, f"pci-{number}")
        assert not budget.ask(2, f"pci-{number}")
        budget.leave(2)
        budget.give_back(1)
    assert not any(vars(budget)[name] for name in ("_busy", "_waiting", "_at", "_waits_at"))
