"""The demo's findings, as a table for people and as an object for programs."""

from collections.abc import Iterable

from flashdeck.job_state import Verified
from flashdeck.value import Value


class DemoRow(Value, frozen=True, kw_only=True):
    """One build on one board."""

    board: str
    partition: str
    version: str
    bytes: int
    erases: int
    """Sectors erased, as the job counted them."""
    erases_seen: int
    """The same, as the board itself counted them."""
    transfers: int
    """Control transfers of the job, from opening the board to the leave."""
    seconds: float
    verified: Verified
    """The result that flashdeck tells of: if it could read back what it wrote."""
    sha256: str
    """The hash of the first `bytes` bytes that the partition really has, taken from the emulated flash itself."""
    is_image: bool
    """True if that is the SHA-256 of the image that was built."""
    outside_unchanged: bool
    """True if every byte of the flash outside the partition is what it was before."""
    jobs: int
    """Jobs that this build became on this board; one is right."""
    pressed: bool
    """True if somebody had to press the board's buttons."""


class Report(Value, frozen=True, kw_only=True):
    """The whole demo."""

    compiled: bool
    """True if the builds were compiled here; else the checked-in image was used."""
    rows: tuple[DemoRow, ...]
    complaints: tuple[str, ...]
    """All that is not as it should be; empty when all is well."""


HEAD = ("board", "partition", "build", "bytes", "erases", "transfers", "seconds", "verified", "outside")


def table(rows: Iterable[DemoRow]) -> str:
    """One table, 80 columns wide: each row has its SHA-256, which nothing would make shorter, on a line below."""
    cells = [
        (
            row.board,
            row.partition,
            row.version.rpartition(" ")[2],
            str(row.bytes),
            str(row.erases),
            str(row.transfers),
            f"{row.seconds:.2f}",
            "yes" if row.verified is Verified.YES else "no",
            "same" if row.outside_unchanged else "CHANGED",
        )
        for row in rows
    ]
    shas = [f" sha256 {row.sha256} {'= image' if row.is_image else 'WRONG'}" for row in rows]
    widths = [max(map(len, column)) for column in zip(HEAD, *cells, strict=True)]
    lines = [_line(HEAD, widths)]
    for cell, sha in zip(cells, shas, strict=True):
        lines += [_line(cell, widths), sha]
    return "\n".join(lines)


def complaints(rows: Iterable[DemoRow]) -> tuple[str, ...]:
    """Everything in `rows` that must not be, in sentences."""
    found: list[str] = []
    for row in rows:
        where = f"{row.partition} of {row.board} after build {row.version}"
        if not row.is_image:
            found.append(f"{where} does not have the image: its SHA-256 is {row.sha256}")
        if not row.outside_unchanged:
            found.append(f"{where}: bytes outside the partition changed")
        if row.erases != row.erases_seen:
            found.append(f"{where}: the job tells of {row.erases} erases, the board of {row.erases_seen}")
        if row.jobs != 1:
            found.append(f"{where}: the build became {row.jobs} jobs, and should be one")
    return tuple(found)


_NUMBERS = frozenset({"bytes", "erases", "transfers", "seconds"})


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    columns = zip(HEAD, cells, widths, strict=True)
    return "  ".join(
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width) for name, cell, width in columns
    ).rstrip()
