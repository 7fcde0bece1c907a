"""The record of the last configuration on the disk."""

from pathlib import Path

import pytest

from flashdeck.config_record import RECORD_NAME, BoardRecord, ConfigRecord, PartitionRecord, ProfileRecord
from flashdeck.errors import HostError
from flashdeckd.state.config_record_file import ConfigRecordFile

PROFILE = ProfileRecord(
    dfu="0483:df11",
    partitions={"app1": PartitionRecord(start=8, size=8, guards=("fits", {"crc": "crc32"}), alternate=None)},
    kept=((0, 8),),
    keys={"enter": {"command": ["/bin/true"]}},
)
RECORD = ConfigRecord(
    profiles={"product": PROFILE},
    boards={"left": BoardRecord(serial="A1", profile=PROFILE)},
    confirmed={"/fw.toml": {"product": PROFILE}},
)


def test_it_is_kept(tmp_path: Path) -> None:
    file = ConfigRecordFile(tmp_path)
    assert file.load() is None
    file.save(RECORD)
    assert file.load() == RECORD
    assert (tmp_path / RECORD_NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"boards": 1}', b"\xff"])
def test_one_that_cannot_be_understood_is_set_aside_and_confirms_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / RECORD_NAME).write_bytes(data)
    assert ConfigRecordFile(tmp_path).load() == ConfigRecord(), "not as at a first start, which would confirm all"
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith(f"{RECORD_NAME}.kept-")
    again = ConfigRecordFile(tmp_path).load()
    assert again == ConfigRecord(), "the daemon was killed before it kept another: that is no first start either"


def test_trouble_of_the_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).mkdir()
    with pytest.raises(HostError, match="cannot be read"):
        ConfigRecordFile(tmp_path).load()
    with pytest.raises(HostError, match="cannot be written"):
        ConfigRecordFile(tmp_path / "gone").save(RECORD)
