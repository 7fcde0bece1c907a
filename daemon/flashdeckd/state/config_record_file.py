"""The record of the configuration that the daemon ran with last, a file of its own in the state directory."""

import logging
from pathlib import Path

import msgspec

from flashdeck.config_record import RECORD_NAME, ConfigRecord, record_from
from flashdeck.errors import HostError
from flashdeckd.host import files
from flashdeckd.host.durable import write_durably
from flashdeckd.state.journal import set_aside

_log = logging.getLogger(__name__)


class ConfigRecordFile:
    """The record on the disk. Both methods block."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / RECORD_NAME

    def load(self) -> ConfigRecord | None:
        """Return the record; None where no daemon has left one here.

        One that cannot be understood is moved aside: then nothing is confirmed, until another one is kept. Raises
        HostError where it cannot be read.
        """
        try:
            data = files.contents(self._path)
            return record_from(data)
        except FileNotFoundError:
            return ConfigRecord() if self._was_set_aside else None
        except ValueError as error:
            kept = set_aside(self._path)
            _log.warning("%s cannot be understood (%s): kept as %s, nothing is confirmed", self._path, error, kept.name)
            return ConfigRecord()
        except OSError as error:
            raise HostError(f"{self._path} cannot be read: {error.strerror}", hint="see that it is yours") from error

    @property
    def _was_set_aside(self) -> bool:
        """True if there was a record that could not be understood: the daemon ended before it kept another one."""
        try:
            return any(name.startswith(f"{RECORD_NAME}.kept-") for name in files.names(self._path.parent))
        except FileNotFoundError:
            return False

    def save(self, record: ConfigRecord) -> None:
        """Keep a record durably, in place of the last; raises HostError."""
        try:
            write_durably(self._path, msgspec.json.encode(record))
        except OSError as error:
            raise HostError(
                f"{self._path} cannot be written: {error.strerror}", hint="see that the disk is not full"
            ) from error
