"""A report as Markdown. Pure."""

from collections.abc import Sequence

from benchmarks.rows import Cost, Measure, Promise, Report, Row, Unit

_HEAD = (
    *("what", "tool", "DNLOAD", "GETSTATUS", "UPLOAD", "other", "bytes", "erases", "sleeps", "seconds", "measured"),
    *("promise or aim", "remark"),
)
_NUMBERS = frozenset(("DNLOAD", "GETSTATUS", "UPLOAD", "other", "bytes", "erases", "sleeps", "seconds", "measured"))
_DIGITS = {
    Unit.TIMES: 2,
    Unit.MILLISECONDS: 0,
    Unit.MEGABYTES: 0,
    Unit.PERCENT: 2,
    Unit.A_SECOND: 0,
    Unit.BYTES_A_SECOND: 0,
    Unit.BYTES_A_MINUTE: 0,
}


def rendered(report: Report) -> str:
    """The machine, the table, and the notes."""
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    measured_on = f"{machine.cores} x {machine.processor}, load {machine.load:.1f}, {machine.kernel}"
    head = f"`{report.command}` on {measured_on}; {versions}. A full image has {report.image // 1024} KiB."
    lines = [head, "", *_table(report.rows)]
    if report.notes:
        lines += ["", *(f"- {note}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    rule = ["--:" if name in _NUMBERS else "---" for name in _HEAD]
    return [_line(cells) for cells in (_HEAD, rule, *(_cells(row) for row in rows))]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(row: Row) -> list[str]:
    return [
        row.what,
        row.tool,
        *(_costs(row.cost) if row.cost else [""] * 7),
        f"{row.seconds:.2f}" if row.seconds is not None else "",
        measured(row.measure) if row.measure else "",
        "; ".join([*map(promised, row.promises), *([f"aim {row.aim:g}"] if row.aim is not None else [])]),
        row.remark,
    ]


def _costs(cost: Cost) -> list[str]:
    counts = (cost.downloads, cost.statuses, cost.uploads, cost.others, cost.bytes, cost.erases)
    return [*map(str, counts), f"{cost.sleeps} ({cost.slept:.2f} s)" if cost.sleeps else "0"]


def measured(measure: Measure) -> str:
    """A measurement with its unit, and of how many it is the median."""
    value = f"{measure.value:.{_DIGITS[measure.unit]}f} {measure.unit}"
    return f"{value} (of {measure.of})" if measure.of > 1 else value


def promised(promise: Promise) -> str:
    """A promise, and whether it was kept."""
    sentence = f"{promise.found} of at most {promise.limit} {promise.what}"
    if not promise.kept:
        return f"**broken: {sentence}**"
    return sentence if promise.limit else f"no {promise.what}"
