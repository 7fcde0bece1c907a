"""`make chips EMBASSY=… MODM=… PROBE_RS=…`: the chip table again, from checkouts of its three sources."""

import argparse
import sys
from pathlib import Path

from chip_table import embassy, modm, probe_rs
from chip_table.claims import SourceError
from chip_table.compare import compare, problems
from chip_table.table import sums, to_json

_TABLE = Path(__file__).parents[2] / "shared" / "flashdeck" / "chips.json"


def main() -> int:
    """Read, compare, write; say what was decided."""
    parser = argparse.ArgumentParser(prog="chip_table", description=__doc__)
    parser.add_argument("--embassy", type=Path, required=True, help=f"a checkout of {embassy.NAME}")
    parser.add_argument("--modm", type=Path, required=True, help=f"a checkout of {modm.NAME}")
    parser.add_argument("--probe-rs", type=Path, required=True, help=f"a checkout of {probe_rs.NAME}")
    parser.add_argument(
        "--output", type=Path, default=_TABLE, help="the file to write (default: the one that is shipped)"
    )
    given = parser.parse_args()
    try:
        claims = [*embassy.read(given.embassy), *modm.read(given.modm), *probe_rs.read(given.probe_rs)]
    except SourceError as error:
        parser.error(str(error))
    result = compare(claims)
    for line in (*problems(result), *sums(result)):
        print(line, file=sys.stderr)
    given.output.write_text(to_json(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
