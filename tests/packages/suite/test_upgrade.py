"""Another version in the place of the older one finds configuration, boards, jobs and holds as they were."""

import shutil
from pathlib import Path

import pytest

from flashdeck.extras import Extra
from packages.distribution import OLDER, ROOT
from packages.environments import Counted, Program, by_pip, by_pipx, by_uv_pip, by_uv_tool, requirement
from packages.every_command import Bench
from packages.workshop import Workshop

BOTH = (Extra.DAEMON, Extra.TUI)
JOURNALS = sorted((ROOT / "tests" / "data" / "journal").glob("*.sqlite"))
UPGRADES: dict[str, tuple[Program, str]] = {
    "pip": (by_pip, "--upgrade"),
    "pipx": (by_pipx, "--force"),
    "uv tool": (by_uv_tool, "--force"),
}


@pytest.mark.parametrize("way", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_keeps_state_and_configuration(
    way: tuple[Program, str], workshop: Workshop, home: Path, counted: Counted
) -> None:
    program, option = way
    (home / "bench").mkdir(mode=0o700)
    bench = Bench(home / "bench").laid_out()
    configuration = bench.files[1].read_bytes()
    older = counted(program(workshop, home, requirement(workshop.older_wheel, BOTH)))
    assert older("--version").out.split() == ["flashdeck", OLDER]
    image = bench.image("1.0")
    with older.daemon(*bench.files) as place:
        assert older("--socket", str(place), "flash", "app1", str(image), "--timeout", "60").code == 0
        assert older("--socket", str(place), "hold", "left", "--reason", "on its way to the lab").code == 0
    newer = counted(program(workshop, home, option, requirement(workshop.wheel, BOTH)))
    assert newer("--version").out.split()[1] != OLDER
    with newer.daemon(*bench.files) as place:
        (board,) = newer("--socket", str(place), "status", "--json").json["boards"]
        assert board["hold"]["reason"] == "on its way to the lab"
        (job,) = newer("--socket", str(place), "history", "--json").json["jobs"]
        assert (job["board"], job["partition"], job["status"]["state"]) == ("left", "app1", "done")
    assert bench.files[1].read_bytes() == configuration


def test_journals_of_all_releases_are_taken_over(workshop: Workshop, home: Path, counted: Counted) -> None:
    installed = counted(by_uv_pip(workshop, home, requirement(workshop.wheel, BOTH)))
    assert JOURNALS
    for journal in JOURNALS:
        room = home / journal.stem
        room.mkdir(mode=0o700)
        bench = Bench(room).laid_out()
        bench.files[2].mkdir(mode=0o700)
        shutil.copy(journal, bench.files[2] / "journal.sqlite3")
        with installed.daemon(*bench.files) as place:
            assert installed("--socket", str(place), "history", "--jsonl").jsonl, journal.name
