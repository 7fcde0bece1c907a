"""Who has a file open: other processes by number and name, as far as they can be seen, and no more than is bearable."""

import subprocess
from pathlib import Path

import pytest

from flashdeckd.host import files, open_files
from flashdeckd.host.open_files import MAX_HOLDERS, MAX_OPEN_FILES, Holder, holders


def test_another_process_is_named_and_we_are_not(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.touch()
    with (
        port.open(),
        subprocess.Popen(["/bin/sh", "-c", "exec cat - >>port"], cwd=tmp_path, stdin=subprocess.PIPE) as other,
    ):
        while not any(found.name == "cat" for found in holders(port)):
            pass  # it has not come that far
        assert holders(port) == (Holder(other.pid, "cat"),)
        assert str(holders(port)[0]) == f"cat (pid {other.pid})"
        assert other.stdin is not None
        other.stdin.close()
    assert holders(port) == ()


class Proc:
    """The part of /proc that is looked at: processes with open files, by their numbers."""

    def __init__(self, descriptors: dict[int, list[str]], unseen: frozenset[int] = frozenset()) -> None:
        self._descriptors = descriptors
        self._unseen = unseen
        self.looked_at = 0

    def listdir(self, path: str | Path, /) -> list[str]:
        if str(path) == "/proc":
            return [*map(str, self._descriptors), "self", "meminfo"]
        pid = int(Path(path).parts[2])
        if pid in self._unseen:
            raise PermissionError
        return [str(number) for number in range(len(self._descriptors[pid]))]

    def readlink(self, path: str | Path, /) -> str:
        self.looked_at += 1
        _, _, pid, _, number = Path(path).parts
        target = self._descriptors[int(pid)][int(number)]
        if not target:
            raise FileNotFoundError
        return target

    def open(self, *_: object) -> int:
        raise FileNotFoundError


def seen(monkeypatch: pytest.MonkeyPatch, proc: Proc) -> tuple[Holder, ...]:
    monkeypatch.setattr(files, "system", proc)
    monkeypatch.setattr(open_files.processes, "own_pid", lambda: 1)
    return holders(Path("/dev/ttyACM0"))


def test_what_cannot_be_seen_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    port = "/dev/ttyACM0"
    proc = Proc(
        {1: [port], 2: ["/dev/null", port, port], 3: [port], 4: ["", port], 5: ["/dev/ttyACM01"]}, frozenset({3})
    )
    found = seen(monkeypatch, proc)
    assert found == (Holder(2, ""), Holder(4, ""))
    assert str(found[0]) == "a process (pid 2)"


def test_a_few_of_many_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    proc = Proc({pid: ["/dev/ttyACM0"] for pid in range(2, 2 + 2 * MAX_HOLDERS)})
    assert len(seen(monkeypatch, proc)) == MAX_HOLDERS


@pytest.mark.parametrize(("before", "found"), [(MAX_OPEN_FILES - 1, 1), (MAX_OPEN_FILES, 0)])
def test_so_many_open_files_are_looked_at(monkeypatch: pytest.MonkeyPatch, before: int, found: int) -> None:
    proc = Proc({2: ["/dev/null"] * before, 3: ["/dev/ttyACM0", "/dev/null"]})
    assert len(seen(monkeypatch, proc)) == found
    assert proc.looked_at <= MAX_OPEN_FILES
