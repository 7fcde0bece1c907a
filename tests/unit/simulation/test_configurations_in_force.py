"""The world knows by which boards a daemon goes: as written, as adopted, or with a name that they are about to lose."""

import dataclasses
from pathlib import Path

from flashdeck.config import Pins
from flashdeck.config_file import proposed
from simulation.rule_scene import APP, BOARD, BOOT, PRODUCT
from simulation.seen import Named, Setup
from simulation.world import boards_in_force

CONFIGURATION = """
[profiles.product]
dfu = "0483:df11"
app = "0483:5740"
flash = "STM32H563RG"
[profiles.product.partitions.app]
address = 0x08020000
size = "384K"
[boards.left]
profile = "product"
serial = "A"
"""
PROTECTED = dataclasses.replace(
    PRODUCT, places={**PRODUCT.places, APP.name: dataclasses.replace(APP, protected=True), BOOT.name: BOOT}
)


def test_a_board_that_waits_for_its_new_name_is_of_its_product_as_that_is_now() -> None:
    """A reload that renames a board and protects a partition of it protects it at once."""
    path = Path("/never/flashdeck.toml")
    config = proposed(path, path, CONFIGURATION)
    renamed = Setup({"product": PROTECTED}, {"new": dataclasses.replace(BOARD, name="new", product=PROTECTED)})
    before = Setup({"product": PRODUCT}, {"left": BOARD})
    assert boards_in_force(config, renamed, before) == {"left": dataclasses.replace(BOARD, product=PROTECTED)}


def test_an_adopted_board_is_known_by_what_was_pinned() -> None:
    path = Path("/never/flashdeck.toml")
    config = proposed(path, path, CONFIGURATION)
    pinned = dataclasses.replace(config.boards["left"], pins=Pins(map="", bcd_device=0x0201))
    config = dataclasses.replace(config, boards={"left": pinned})
    setup = Setup({"product": PRODUCT}, {})
    adopted = Named(name="left", product=PRODUCT, serial="A", release=0x0201)
    assert boards_in_force(config, setup, setup) == {"left": adopted}
