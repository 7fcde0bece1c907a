"""Records the flash that `tests/data/recordings` holds anew, on an emulated board: after a change in what is asked.

    make recordings

Look at the difference before you commit it: another order of requests should be what you meant. A recording of a real
board is renewed by nobody: it is what that board did.
"""

import tempfile
from pathlib import Path

from recording_rig import SHORT_IMAGE, record

PLACE = Path(__file__).parent / "data" / "recordings"


def main() -> None:
    """Writes it."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fd-") as directory:
        recorded = record(Path(directory) / "new", data=SHORT_IMAGE)
        (PLACE / "classic.jsonl").write_bytes(recorded.read_bytes())


if __name__ == "__main__":
    main()
