"""The planted bugs fit the product as it is, and there is one for each rule and each seam."""

import os
import sys
import tomllib
from argparse import Namespace
from pathlib import Path

import pytest

from flashdeckd.jobs.worker import Worker
from simulation.planted import RULES, SEAMS, Plant, StalePlantError, hunt, plants, proof
from simulation.planted.mutations import chosen, mutations_of

ALL = list(plants())


@pytest.mark.parametrize("plant", ALL, ids=lambda plant: plant.name)
def test_a_planted_bug_applies_and_says_what_it_is(plant: Plant) -> None:
    changed = plant.files()
    assert changed
    for path, text in changed.items():
        compile(text, str(path), "exec")
    assert plant.thought
    assert plant.shows
    assert plant.of_what
    assert plant.rule in {"", *RULES}
    assert plant.seam in {"", *SEAMS}


def test_each_rule_and_each_seam_has_one() -> None:
    assert {plant.rule for plant in ALL} >= set(RULES)
    assert {plant.seam for plant in ALL} >= set(SEAMS)
    assert len(ALL) >= 20


def test_a_patch_for_other_code_says_so(tmp_path: Path) -> None:
    (path,) = ALL[0].files()
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("other code\n")
    with pytest.raises(StalePlantError, match=rf"{ALL[0].name}\.patch does not apply any more"):
        ALL[0].files(tmp_path)


CODE = '''
class Queue:
    async def take(self, most):
        """Take one."""
        if self.open and most > 3:
            await self.first()
            await self.second(again=True)
        self.hub.log("taken")
'''


def changes(root: Path, code: str) -> dict[str, str]:
    """Return each mutation of a module by its name: the function as it is then."""
    path = root / "daemon/flashdeckd/jobs/queue.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    found = {each.name: each.files(root)[each.path] for each in mutations_of(path, root)}
    return {name.partition(" ")[2]: text for name, text in found.items()}


def test_mutations_change_conditions_calls_constants_and_orders(tmp_path: Path) -> None:
    found = changes(tmp_path, CODE)
    assert {
        "Queue.take: And as Or: self.open and most > 3",
        "Queue.take: Gt as GtE: most > 3",
        "Queue.take: negated: self.open and most > 3",
        "Queue.take: one more: 3",
        "Queue.take: other way round: True",
        "Queue.take: left out: await self.first()",
        "Queue.take: left out: await self.second(again=True)",
        "Queue.take: behind the next: await self.first()",
    } == set(found)
    assert (
        "await self.second(again=True)\n            await self.first()"
        in found["Queue.take: behind the next: await self.first()"]
    )
    assert "most >= 3" in found["Queue.take: Gt as GtE: most > 3"]
    assert "not (self.open and most > 3)" in found["Queue.take: negated: self.open and most > 3"]


def test_a_mutation_keeps_its_name_where_lines_move(tmp_path: Path) -> None:
    assert changes(tmp_path, CODE).keys() == changes(tmp_path, "\n\nBEFORE = 1\n\n" + CODE).keys()


def test_survivors_that_are_explained_are_mutations_of_the_code_as_it_is() -> None:
    explained = tomllib.loads(Path(proof.__file__).with_name("survivors.toml").read_text())
    assert explained.keys() <= {each.name for each in chosen(proof.MUTATION_SEED, proof.MUTATIONS)}
    assert [name for name, why in explained.items() if len(why.split()) < 5] == []


def test_random_mutations_can_be_hunted_alone() -> None:
    assert {plant.name for plant in proof.wanted(Namespace(no_planted=False, only="", some=0))} == {p.name for p in ALL}
    assert proof.wanted(Namespace(no_planted=True, only="", some=0)) == []


def test_a_hunt_notices_what_the_daemon_logs_as_a_fault_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Worker, "_open", None)  # no device can be opened: each job is stopped by that
    monkeypatch.setattr(sys, "argv", ["hunt", "1", "1"])
    monkeypatch.setattr(os, "sched_setaffinity", print)  # the other tests stay on all processors
    hunt.main()
    found = hunt.told_in(capsys.readouterr().out)
    assert found is not None
    assert "stopped by a fault in flashdeckd" in found.failure
