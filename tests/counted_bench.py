"""The real daemon on an emulated bench that counts, at its boards, how many of each controller are talked to at once.

As a program this file is flashdeckd, with its options. Beside the bench file it writes `most`: a line a controller,
with its name and the highest number.
"""

from collections import Counter
from pathlib import Path

from flashdeckd import __main__
from flashdeckd.virtual import virtual_bench
from flashdeckd.virtual.backend import Handle, VirtualBackend
from flashdeckd.virtual.bench_file import read_specs
from flashdeckd.virtual.virtual_bench import VirtualBench


class CountingBackend(VirtualBackend):
    """Counts the handles that have an interface: those of a session, from its begin to its end."""

    most_file: Path

    def count(self, file: Path) -> None:
        """Write the highest numbers to `file` from now on."""
        self.most_file = file
        self._in_use: dict[int, str] = {}
        self._most: Counter[str] = Counter()

    def claim_interface(self, dev_handle: object, intf: int) -> None:
        """Claim an interface, as the base does."""
        super().claim_interface(dev_handle, intf)
        assert isinstance(dev_handle, Handle)
        with self._lock:
            controller = dev_handle.connection.board.spec.controller
            self._in_use[id(dev_handle)] = controller
            busy = list(self._in_use.values()).count(controller)
            if busy > self._most[controller]:
                self._most[controller] = busy
                self.most_file.write_text("".join(f"{name} {most}\n" for name, most in self._most.items()))

    def close_device(self, dev_handle: object) -> None:
        """Close a device, as the base does."""
        super().close_device(dev_handle)
        with self._lock:
            self._in_use.pop(id(dev_handle), None)


def counted_bench(path: Path) -> VirtualBench:
    """Return the bench of that file, with a backend that counts."""
    bench = VirtualBench(read_specs(path))
    bench.backend = backend = CountingBackend(tuple(bench.boards.values()))
    backend.count(path.parent / "most")
    return bench


def most_at_once(root: Path) -> dict[str, int]:
    """Return the highest number of boards of each controller that were talked to at once."""
    lines = (root / "most").read_text().splitlines()
    return {name: int(most) for name, _, most in (line.partition(" ") for line in lines)}


if __name__ == "__main__":
    virtual_bench.load_bench = counted_bench
    __main__.main()
