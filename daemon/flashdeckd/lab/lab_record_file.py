"""The record of who had acquired which board when that was last known, a file of its own in the state directory.

labgrid is asked again after a restart. Until it has answered, and while it cannot, what was known last counts.
"""

import logging
from pathlib import Path
from typing import Final

import msgspec

from flashdeck.value import Value
from flashdeckd.host import files
from flashdeckd.host.durable import write_durably
from flashdeckd.state.journal import set_aside

LAB_RECORD_NAME: Final = "labgrid.json"
"""The name of the file."""

_log = logging.getLogger(__name__)


class KeptHolding(Value, frozen=True, kw_only=True):
    """The acquisition of one board."""

    board: str
    place: str
    holder: str
    allowed: tuple[str, ...] = ()
    since: float = 0.0


class LabRecord(Value, frozen=True, kw_only=True):
    """All acquisitions of one lab."""

    coordinator: str = ""
    held: tuple[KeptHolding, ...] = ()


class LabRecordFile:
    """The record on the disk. Both methods block."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LAB_RECORD_NAME

    def load(self) -> LabRecord:
        """Return the record; an empty one where there is none that can be read, which is logged and moved aside."""
        try:
            return msgspec.json.decode(files.contents(self._path), type=LabRecord)
        except FileNotFoundError:
            return LabRecord()
        except msgspec.DecodeError as error:
            kept = set_aside(self._path)
            _log.warning("%s cannot be understood (%s): kept as %s", self._path, error, kept.name)
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._path, error.strerror)
        return LabRecord()

    def save(self, record: LabRecord) -> None:
        """Keep a record in place of the last; where the disk fails, the log says so."""
        try:
            write_durably(self._path, msgspec.json.encode(record))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)
