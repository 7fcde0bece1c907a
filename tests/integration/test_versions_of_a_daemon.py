"""What a daemon says that it runs on."""

import platform

from flashdeck import __version__, api
from rig import Rig


async def test_a_daemon_names_what_it_runs_on_and_that_emulated_boards_need_no_libusb(rig: Rig) -> None:
    facts = {fact.name: fact.value for fact in (await rig.client.call(api.GetVersions())).facts}
    assert facts["flashdeck"] == __version__
    assert platform.python_version() in facts["python"]
    assert platform.release() in facts["kernel"]
    assert facts["pyusb"][0].isdigit()
    assert facts["libusb"] == "not loaded"
    assert "pytest" not in facts
