"""The chip table again, from checkouts of its sources: see `make chips`."""

import argparse
import sys
from pathlib import Path

from chip_table import boards, embassy, modm, openocd, probe_rs
from chip_table.claims import SourceError
from chip_table.compare import compare, problems
from chip_table.table import sums, to_json

_SOURCES = {
    "--embassy": embassy.NAME,
    "--modm": modm.NAME,
    "--probe-rs": probe_rs.NAME,
    "--openocd": openocd.NAME,
    "--gd32": boards.GD32,
    "--at32": boards.AT32,
}
_TABLE = Path(__file__).parents[2] / "shared" / "flashdeck" / "chips.generated.json"


def main() -> int:
    """Read, compare, write; say what was decided."""
    parser = argparse.ArgumentParser(prog="chip_table", description=__doc__)
    for option, name in _SOURCES.items():
        parser.add_argument(option, type=Path, required=True, help=f"a checkout of {name}")
    parser.add_argument(
        "--output", type=Path, default=_TABLE, help="the file to write (default: the one that is shipped)"
    )
    given = parser.parse_args()
    try:
        claims = [
            *embassy.read(given.embassy),
            *modm.read(given.modm),
            *openocd.read(given.openocd),
            *boards.read(given.gd32, boards.GD32),
            *boards.read(given.at32, boards.AT32),
            *probe_rs.read(given.probe_rs),
        ]
    except SourceError as error:
        parser.error(str(error))
    result = compare(claims)
    for line in (*problems(result), *sums(result)):
        print(line, file=sys.stderr)
    given.output.write_text(to_json(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
