"""Debian's own kernel: fetched once with apt, unpacked into a cache, never installed."""

import lzma
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

META_PACKAGE = "linux-image-amd64"
"""Depends on the newest kernel of the release."""
_XZ = b"\xfd7zXZ\0"
_ELF = b"\x7fELF"
_DEPENDS = re.compile(rb"\0depends=([\w,-]*)\0")
_FETCH_SECONDS = 600


class MissingError(Exception):
    """Something that the machine lacks: what it is, and the command to get it."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(f"{what}; to get it: {command}")


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel package."""

    directory: Path

    @property
    def image(self) -> Path:
        """The kernel as an ELF file, which QEMU starts at once; a bzImage would have to unpack itself, emulated."""
        return self.directory / "vmlinux"

    def modules(self, *wanted: str) -> list[bytes]:
        """These modules and all that they depend on, uncompressed and in an order in which they can be loaded."""
        files = {_module_name(file): file for file in self.directory.rglob("*.ko*")}
        builtin = {
            _module_name(Path(line))
            for listing in self.directory.rglob("modules.builtin")
            for line in listing.read_text().splitlines()
        }
        found: dict[str, bytes] = {}

        def load(name: str) -> None:
            if name in found or name in builtin:
                return
            if name not in files:
                raise MissingError(f"the kernel in {self.directory} has no module {name}", f"rm -r {self.directory}")
            content = _uncompressed(files[name])
            depends = _DEPENDS.search(content)
            for other in depends[1].decode().split(",") if depends and depends[1] else ():
                load(other.replace("-", "_"))
            found[name] = content

        for name in wanted:
            load(name)
        return list(found.values())


def kernel_cache() -> Path:
    """Where kernels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flashdeck" / "vm"


def cached_kernel() -> Kernel:
    """The kernel in the cache, fetched if there is none. Raises MissingError where it cannot be had."""
    cache = kernel_cache()
    for known in sorted(cache.glob("linux-image-*"), key=lambda path: path.stat().st_mtime, reverse=True):
        return Kernel(known)
    cache.mkdir(parents=True, exist_ok=True)
    package = _newest_package()
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as name:
        scratch = Path(name)
        deb = _fetched(package, scratch)
        _run(["dpkg-deb", "--extract", str(deb), str(scratch / "tree")], scratch)
        (image,) = (scratch / "tree/boot").glob("vmlinuz-*")
        kernel = scratch / "kernel"
        kernel.mkdir()
        (kernel / "vmlinux").write_bytes(vmlinux(image.read_bytes()))
        (modules,) = [tree for tree in (scratch / "tree").glob("**/lib/modules/*") if tree.is_dir()]
        shutil.move(modules, kernel / "modules")
        kernel.rename(cache / deb.stem)
    return Kernel(cache / deb.stem)


def vmlinux(bzimage: bytes) -> bytes:
    """The ELF file inside a bzImage that is compressed with xz, as Debian's are."""
    start = bzimage.find(_XZ)
    while start >= 0:
        try:
            unpacked = lzma.LZMADecompressor().decompress(bzimage[start:])
        except lzma.LZMAError:
            unpacked = b""
        if unpacked.startswith(_ELF):
            return unpacked
        start = bzimage.find(_XZ, start + 1)
    raise MissingError("there is no ELF file compressed with xz in this kernel", "a kernel package of Debian's")


def _newest_package() -> str:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingError("Debian's kernel is fetched with apt", "run this on Debian, or in a container of it")
    names = re.findall(r"Depends: (linux-image-[\w.+-]+)", _run(["apt-cache", "depends", META_PACKAGE], Path.cwd()))
    if not names:
        raise MissingError(
            f"apt knows no package {META_PACKAGE}", "apt-get update, with Debian's main archive for amd64"
        )
    return names[0]


def _fetched(package: str, scratch: Path) -> Path:
    """Downloads a package, as any user."""
    _run(["apt-get", "download", package], scratch)
    return next(scratch.glob("*.deb"))


def _run(words: list[str], directory: Path) -> str:
    """What the program says. Raises MissingError where it fails."""
    try:
        return subprocess.run(  # noqa: S603 -- our words, no shell
            words, cwd=directory, capture_output=True, text=True, check=True, timeout=_FETCH_SECONDS
        ).stdout
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        raise MissingError(f"{' '.join(words)}: {said[0]}", "apt-get update, and a way to its archive") from error
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{' '.join(words)} took longer than {_FETCH_SECONDS} s", "try again") from error


def _module_name(file: Path) -> str:
    return file.name.partition(".ko")[0].replace("-", "_")


def _uncompressed(file: Path) -> bytes:
    content = file.read_bytes()
    return lzma.decompress(content) if file.suffix == ".xz" else content
