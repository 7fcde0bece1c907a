"""The driver reaches a board of another machine: a real sshd, and the image travels as bytes."""

# pyright: reportMissingModuleSource=false
# As with the driver itself: labgrid is not in `.venv`.

from pathlib import Path

import pytest
from labgrid import Environment

from far_bench import far_bench
from flashdeck.labgrid_driver import FlashdeckDriver, LabError
from rig import firmware

ONE = firmware("1.0.0")
ENVIRONMENT = """
imports: [flashdeck.labgrid_driver]
targets:
  main:
    resources:
      FlashdeckBoard: {{host: {host}, ssh: "{ssh}", socket: /run/of/that/machine, board: right}}
    drivers:
      FlashdeckDriver: {{}}
"""


def test_a_board_of_another_machine_is_flashed_and_read_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, image = tmp_path / "environment.yaml", tmp_path / "app.bin"
    image.write_bytes(ONE)
    with far_bench() as there:
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        for host, ssh in (("bench", ""), ("rack.example", "lab")):
            file.write_text(ENVIRONMENT.format(host=host, ssh=ssh))
            environment = Environment(str(file))
            target = environment.get_target()
            assert target is not None
            driver = target.get_driver(FlashdeckDriver)
            driver.load(str(image))
            assert driver.read("app1").startswith(ONE)
            environment.cleanup()
        file.write_text(ENVIRONMENT.format(host="-oProxyCommand=x", ssh=""))
        target = Environment(str(file)).get_target()
        assert target is not None
        with pytest.raises(LabError, match="begins with -"):
            target.get_driver(FlashdeckDriver)
