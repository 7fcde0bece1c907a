"""The questions of a first configuration: which are asked, which are shown, and what comes of the answers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from first_steps_rig import APP1, APP2, K, Talk, build, device, facts, running, unsigned
from flashdeck.chips import find_chip
from flashdeck.config import BankPolicy, Enter, EnterCommand, Guard
from flashdeck.errors import ConfigError, ErrorKind, RequestError
from flashdeck.geometry import Range
from flashdeck.model import BoardState, DeviceState, Presence, WayIntoDfu
from flashdeck_tui.first_steps.asked_questions import MAX_ANSWER, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.dialogue import Await, BoardSetup, Edit, edited
from flashdeck_tui.first_steps.draft import PLAIN_SIZE
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.image_choice import MOST_LISTED, MOST_REASONS
from flashdeck_tui.first_steps.last_steps import Steps, in_words
from flashdeck_tui.first_steps.setting_choice import MAX_SETTING
from flashdeck_tui.first_steps.setup import ImageFor
from flashdeck_tui.first_steps.way_choice import MAX_HINT, others_in_words, taken

CHIP = Given(flash=find_chip("STM32H563RG"))
DETACH, TOUCH = WayIntoDfu.DETACH, WayIntoDfu.TOUCH


def into_dfu_mode(setup: BoardSetup) -> str:
    """What stands directly above the last question."""
    steps = Steps(setup=setup, main=Path("/x.toml"), file=Path("/x.toml"))
    return list(in_words(steps, root=Path("/"), home=Path("/home")))[-1]


def finished(talk: Talk) -> BoardSetup:
    step = talk.outlook.step
    assert isinstance(step, BoardSetup), step
    return step


def plain(*numbers: int) -> DeviceState:
    """A device without addresses, with these alternate settings."""
    return device(setting_names=("app1",), dfu_version=0x0101, alternates=numbers)


def test_the_first_case_takes_few_answers_and_protects_what_lies_below(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path))
    answers = 0
    typed = {Topic.CHIP: "h563rg", Topic.IMAGES: "", Topic.MAP: "t"}
    while not isinstance(talk.outlook.step, BoardSetup):
        talk.answer(typed[talk.asked().question.topic])
        answers += 1
    assert answers <= 4  # and the last yes
    setup = finished(talk)
    spans = {name: (each.span, each.protected) for name, each in setup.profile.partitions.items()}
    assert spans == {
        "bootloader": (Range(0x08000000, 0x08020000), True),
        "app1": (Range(0x08020000, 0x08080000), False),
        "app2": (Range(0x08080000, 0x08100000), False),
    }
    assert setup.profile.banks is BankPolicy.TRUSTED
    assert [(each.partition, each.path) for each in setup.images] == [
        ("app1", APP1.best.path),
        ("app2", APP2.best.path),
    ]
    config = talk.facts.check(setup.text)
    assert config.boards["product-1"].serial == "SERIAL1-1"
    assert "settle" not in setup.text, "only what is not the default is written"


def test_a_question_with_one_possible_answer_is_shown(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, builds=(APP1,)), CHIP)
    assert talk.asked().question.topic is Topic.MAP
    board, chip, images = talk.shown()
    assert "serial SERIAL1-1" in board
    assert "STM32H563RG" in chip
    assert "app1/APP1.bin" in images
    talk.answer("")
    assert "by hand" in into_dfu_mode(finished(talk))
    assert finished(talk).profile.enter is Enter.MANUAL
    assert finished(talk).other_ways is None, "nobody knows its application"


def test_without_a_board_it_waits_for_one_and_then_goes_on(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, running("1-9", TOUCH)), CHIP)
    step = talk.outlook.step
    assert isinstance(step, Await), "a serial port alone is no board that can be flashed"
    assert "Plug the board in now" in step.text
    talk.see(device("1-2"))
    assert talk.asked().question.topic is Topic.IMAGES


def test_of_several_boards_one_is_chosen_and_another_may_come(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, device("1-1"), device("1-2")), CHIP)
    question = talk.asked().question
    assert [option.key for option in question.options] == ["1", "2", "r"]
    talk.answer("r")
    talk.see(device("1-1"), device("1-2"), device("1-3"))
    talk.answer("3")
    assert "port 1-3" in talk.shown()[0]
    talk.see(device("1-1"))
    assert isinstance(talk.outlook.step, Await), "nothing else takes the place of what was chosen"


def test_an_application_that_was_seen_before_says_how_it_gets_into_dfu_mode(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, running("1-1", DETACH, TOUCH), builds=(APP1,)), CHIP)
    step = talk.outlook.step
    assert isinstance(step, Await)
    assert "is running. Bring it into DFU mode now" in step.text
    talk.see(device("1-1"))
    talk.answer("y")
    setup = finished(talk)
    assert into_dfu_mode(setup).endswith("(its application is asked to detach)"), "asked only of who wants another way"
    assert setup.profile.enter is Enter.DETACH
    assert str(setup.profile.app) == "0483:5740"
    assert setup.other_ways is not None
    assert [option.key for option in setup.other_ways.options] == ["d", "t", "m", "c"]
    assert others_in_words(setup.other_ways) == "detach, touch-1200, manual or a program of yours"
    talk.other_way("t")
    assert finished(talk).profile.enter is Enter.TOUCH
    assert into_dfu_mode(finished(talk)).endswith("(its serial port is opened at 1200 baud)")
    talk.other_way("")
    assert finished(talk).profile.enter is Enter.DETACH


@pytest.mark.parametrize(
    ("typed", "enter", "hint"),
    [
        ("t", Enter.TOUCH, ""),
        ("m hold SW2, press RESET", Enter.MANUAL, "hold SW2, press RESET"),
        ("manual", Enter.MANUAL, ""),
        ("c ./enter-dfu --now", EnterCommand(command=("/fw/enter-dfu", "--now")), ""),
        (f"m {'x' * (MAX_HINT + 50)}", Enter.MANUAL, "x" * (MAX_ANSWER - 2)),
    ],
)
def test_ways_into_dfu_mode_as_they_are_typed(tmp_path: Path, typed: str, enter: object, hint: str) -> None:
    talk = Talk(facts(tmp_path, running("1-1", TOUCH), device("1-1"), builds=(APP1,)), CHIP)
    talk.answer("y")
    talk.other_way(typed)
    profile = finished(talk).profile
    assert (profile.enter, profile.enter_hint) == (enter, hint)


def test_a_hint_of_a_way_is_cut() -> None:
    assert taken(TypedAnswer((Enter.MANUAL,), "x" * (MAX_HINT + 1)), Path("/")) == (
        Enter.MANUAL,
        "x" * (MAX_HINT - 1) + "…",
    )


@pytest.mark.parametrize("typed", ["c", "c --now", "c 'open", "x", "t now", "c ''"])
def test_a_way_that_cannot_be_is_refused_in_words(tmp_path: Path, typed: str) -> None:
    talk = Talk(facts(tmp_path, running("1-1", TOUCH), device("1-1"), builds=(APP1,)), CHIP)
    talk.answer("y")
    with pytest.raises(WrongAnswerError):
        talk.other_way(typed)


def test_a_way_for_an_application_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, builds=(APP1,)), replace(CHIP, enter=Enter.DETACH, map_is_right=True))
    with pytest.raises(RequestError, match="USB id is not known") as caught:
        _ = talk.outlook
    assert "--app" in caught.value.hint


def test_a_chip_that_is_typed_wrong_is_answered_with_the_nearest(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, device(setting_names=(), product="")))
    assert talk.asked().question.topic is Topic.CHIP
    with pytest.raises(WrongAnswerError, match=r"STM32H563\wG"):
        talk.answer("STM32H563QG9")
    talk.answer("stm32h563rgt6")
    assert talk.asked().question.topic is Topic.IMAGES


def test_a_chip_that_nobody_knows_has_the_sectors_of_its_memory_map(tmp_path: Path) -> None:
    unknown = device(setting_names=("@Flash/0x08000000/40*12Kg",), product="")
    talk = Talk(facts(tmp_path, unknown, builds=(build("/fw/A.bin", 0x08000000 + 12 * 1024 * 4),)))
    question = talk.asked().question
    assert question.options[-1].key == "m"
    assert not question.default, "none of the guesses has the sectors of its map"
    with pytest.raises(WrongAnswerError, match="COUNT"):
        talk.answer("4*x")
    talk.answer("m")
    talk.answer("y")
    profile = finished(talk).profile
    assert profile.partitions["bootloader"].span == Range(0x08000000, 0x0800C000)
    assert (profile.chip, Guard.STACK in profile.partitions["a"].guards) == ("", False)


def test_of_two_builds_for_one_place_the_newer_is_meant_and_both_are_refused(tmp_path: Path) -> None:
    old = build("/fw/old/APP1.bin", 0x08020000, age=9000.0)
    talk = Talk(facts(tmp_path, builds=(APP1, APP2, old)), CHIP)
    question = talk.asked().question
    assert question.default_keys == "1 2"
    assert ["0x08020000" in option.words for option in question.options] == [True, False, True]
    with pytest.raises(WrongAnswerError, match="same place"):
        talk.answer("1 3")
    talk.answer("3, 2")
    talk.answer("y")
    assert [each.path for each in finished(talk).images] == [old.best.path, APP2.best.path]


def test_only_so_many_builds_are_listed_and_the_rest_is_counted(tmp_path: Path) -> None:
    many = tuple(build(f"/fw/b{number}/APP1.bin", 0x08020000, age=number) for number in range(MOST_LISTED + 3))
    question = Talk(facts(tmp_path, builds=(*many, APP2)), CHIP).asked().question
    assert len(question.options) == MOST_LISTED
    assert {many[0].best.path, APP2.best.path} <= {option.value for option in question.options}
    assert question.intro == ("4 older ones are not listed.",)


def test_where_nothing_fits_it_says_why(tmp_path: Path) -> None:
    none = Talk(facts(tmp_path, builds=()), CHIP)
    with pytest.raises(RequestError, match="no image was found below /fw"):
        _ = none.outlook
    odd = tuple(build(f"/fw/{number}.bin", 0x90000000 + number * 0x1000) for number in range(MOST_REASONS + 2))
    with pytest.raises(RequestError, match="not in this flash; and 2 more") as caught:
        _ = Talk(facts(tmp_path, builds=odd), CHIP).outlook
    assert caught.value.message.count("not in this flash") == MOST_REASONS
    unnamed = build("/fw/a\nb.bin", 0x08020000)
    with pytest.raises(RequestError, match="cannot be written into a file"):
        _ = Talk(facts(tmp_path, builds=(unnamed,)), CHIP).outlook


def test_trust_is_offered_only_where_another_bank_is_concerned(tmp_path: Path) -> None:
    small = replace(CHIP, flash=find_chip("STM32F405RG"))
    beside = Talk(facts(tmp_path, builds=(build("/fw/A.bin", 0x08020000),)), small)
    assert [option.key for option in beside.asked().question.options] == ["y", "e"]
    other = Talk(facts(tmp_path, builds=(APP2, APP1)), CHIP)
    other.answer("")
    assert [option.key for option in other.asked().question.options] == ["y", "e", "t"]
    other.answer("y")
    assert finished(other).waits_for_release == ("app2",)
    assert finished(other).profile.banks is BankPolicy.CHECK


def test_an_edited_file_counts_and_its_map_is_asked_again(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, running("1-1", DETACH), builds=(APP1,)), CHIP)
    talk.see(device("1-1"))
    talk.answer("e")
    step = talk.outlook.step
    assert isinstance(step, Edit)
    with pytest.raises(ConfigError, match="unknown key"):
        edited(talk.facts, talk.given, step.text.replace("address", "adress"))
    with pytest.raises(ConfigError, match="no board of the file"):
        edited(talk.facts, talk.given, step.text.replace("SERIAL1-1", "ANOTHER"))
    talk.given = edited(talk.facts, talk.given, step.text.replace("partitions.app1", "partitions.main"))
    assert talk.asked().profile is not None
    talk.answer("y")
    setup = finished(talk)
    assert [each.partition for each in setup.images] == ["main"]
    assert setup.profile.enter is Enter.MANUAL, "the file says it, so it is not asked"


def test_an_editor_that_changes_nothing_leads_back_to_the_map(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, builds=(APP1,)), CHIP)
    talk.answer("e")
    talk.given = edited(talk.facts, talk.given, None)
    assert talk.asked().question.topic is Topic.MAP


def test_plain_dfu_boards_are_asked_for_settings_and_have_no_chip(tmp_path: Path) -> None:
    unknown = plain()
    talk = Talk(facts(tmp_path, unknown))
    talk.answer("1 2")
    question = talk.asked().question
    assert question.topic is Topic.SETTINGS
    for wrong in ("0", "0 0", "0 x", f"0 {MAX_SETTING + 1}", f"0 0000{MAX_SETTING + 1}"):
        with pytest.raises(WrongAnswerError):
            talk.answer(wrong)
    talk.answer(f"{MAX_SETTING} 0")
    talk.answer("y")
    setup = finished(talk)
    assert {name: each.alternate for name, each in setup.profile.partitions.items()} == {"app1": MAX_SETTING, "app2": 0}
    assert setup.profile.is_plain
    assert {each.span.size for each in setup.profile.partitions.values()} == {PLAIN_SIZE}
    large = build("/fw/large.bin", None, PLAIN_SIZE)
    one = Talk(facts(tmp_path, unknown, builds=(large,)))
    one.answer("")
    one.answer("y")
    assert finished(one).profile.partitions["large"].span.size == 2 * PLAIN_SIZE


def test_on_a_plain_board_images_go_in_the_order_of_their_addresses_into_settings_that_there_are(
    tmp_path: Path,
) -> None:
    talk = Talk(facts(tmp_path, plain(0, 1), builds=(APP2, APP1, build("/fw/C.bin", None))))
    assert "0x08080000" in talk.asked().question.options[0].words
    with pytest.raises(WrongAnswerError, match="2 alternate settings, so it takes 2 images at most"):
        talk.answer("1 2 3")
    talk.answer("1 2")
    question = talk.asked().question
    assert question.text == "Which of its alternate settings, 0 and 1, take APP1, APP2?"
    with pytest.raises(WrongAnswerError, match="This device has 0 and 1"):
        talk.answer("0 2")
    talk.answer("")
    talk.answer("y")
    assert {name: each.alternate for name, each in finished(talk).profile.partitions.items()} == {"app1": 0, "app2": 1}


def test_the_only_setting_of_a_plain_board_is_shown(tmp_path: Path) -> None:
    talk = Talk(facts(tmp_path, plain(3), builds=(APP1,)))
    assert talk.asked().question.topic is Topic.MAP
    assert "Settings: APP1 to alt 3, the only one" in talk.shown()


@pytest.mark.parametrize(
    ("device", "given", "says"),
    [
        (plain(0, 1), Given(settings=(0,)), "--alt names 1 setting for 2 images"),
        (plain(0, 1), Given(settings=(0, 2)), "no alternate setting 2"),
        (plain(0, 1), Given(settings=("app1", "app2", "x")), "3 settings for 2 images"),
        (plain(0), Given(settings=(0, 1)), "1 alternate setting, so it takes 1 image at most"),
        (plain(0, 1), CHIP, "no chip to name"),
        (plain(0, 1), Given(trusts_banks=True), "no banks"),
        (device(), Given(settings=(0, 1)), "has addresses"),
    ],
)
def test_an_option_that_means_nothing_for_the_board_is_refused(
    tmp_path: Path, device: DeviceState, given: Given, says: str
) -> None:
    given = replace(given, images=(APP1.best.path, APP2.best.path), map_is_right=True)
    with pytest.raises(RequestError, match=says):
        _ = Talk(facts(tmp_path, device), given).outlook


def test_names_that_are_taken_get_a_number_and_a_shared_serial_is_no_identity(tmp_path: Path) -> None:
    (tmp_path / "flashdeck.toml").write_text("")
    talk = Talk(facts(tmp_path, device(serial_shared=True), builds=(APP1,)), CHIP)
    talk.answer("y")
    board = talk.facts.check(finished(talk).text).boards["product-1"]
    assert (board.serial, board.port) == ("", "1-1")


def test_where_a_profile_is_there_already_it_says_that_adopting_may_be_all(tmp_path: Path) -> None:
    first = Talk(facts(tmp_path, builds=(APP1,)), CHIP)
    first.answer("y")
    config = first.facts.check(finished(first).text)
    second = Talk(replace(facts(tmp_path, device("1-2"), builds=(APP1,)), config=config), CHIP)
    assert "flashdeck adopt 1-2 --profile product'" in second.outlook.notes[0]
    other = device("1-2", setting_names=("@Flash/0x08000000/04*016Kg,01*064Kg,07*128Kg",))
    assert not Talk(replace(facts(tmp_path, other, builds=(APP1,)), config=config), CHIP).outlook.notes[1:]
    assert not Talk(replace(facts(tmp_path, plain(0), builds=(APP1,)), config=config)).outlook.notes, "no addresses"


def test_the_room_behind_a_build_is_said_and_a_build_that_is_not_chosen_ends_it(tmp_path: Path) -> None:
    other = build("/fw/data/params.bin", 0x08060000)
    talk = Talk(facts(tmp_path, builds=(APP1, APP2, other)), CHIP)
    talk.answer("1 2")
    ends, room = talk.outlook.notes
    assert ends == "app1 ends at 0x08060000, where params begins."
    assert "app1 20 KiB of 256 KiB, app2 20 KiB of 512 KiB" in room
    talk.answer("y")
    partitions = finished(talk).profile.partitions
    assert partitions["app1"].span == Range(0x08020000, 0x08060000)
    assert list(partitions) == ["bootloader", "app1", "app2"]


def test_secure_addresses_make_a_profile_with_secure_addresses(tmp_path: Path) -> None:
    secure = build("/fw/S.bin", 0x0C020000)
    talk = Talk(facts(tmp_path, builds=(secure,)), CHIP)
    talk.answer("y")
    spans = [each.span.start for each in finished(talk).profile.partitions.values()]
    assert spans == [0x0C000000, 0x0C020000]


def test_a_build_that_is_not_signed_is_not_offered_and_the_file_to_take_is_named(tmp_path: Path) -> None:
    fresh, old = build("/fw/z/zephyr.signed.bin", 0x08020000), build("/fw/z/zephyr.signed.bin", 0x08020000, age=9e3)
    says = {
        (): "take the signed file, zephyr.signed.bin or .hex, or what imgtool sign wrote",
        (fresh,): "take zephyr.signed.bin",
        (old, fresh): "take zephyr.signed.bin",
        (old,): "sign it again, zephyr.signed.bin is older",
    }
    for beside, advice in says.items():
        zephyr = unsigned("/fw/z/zephyr.bin", 0x08020000, *beside)
        alone = Talk(facts(tmp_path, builds=(zephyr,)), CHIP)
        with pytest.raises(RequestError, match=f"it is not signed: {re.escape(advice)}"):
            _ = alone.outlook
        beside_others = Talk(facts(tmp_path, builds=(zephyr, APP2)), CHIP)
        assert beside_others.asked().question.topic is Topic.MAP
        assert any("Not offered: z/zephyr.bin: it has room" in note for note in beside_others.outlook.notes)
        named = replace(CHIP, images=(zephyr.best.path,))
        with pytest.raises(RequestError, match=re.escape(advice)):
            _ = Talk(facts(tmp_path, builds=(zephyr,)), named).outlook
    many = tuple(unsigned(f"/fw/{number}/zephyr.bin", 0x08020000) for number in range(MOST_REASONS + 2))
    notes = Talk(facts(tmp_path, builds=(*many, APP2)), CHIP).outlook.notes
    assert sum(note.startswith("Not offered: ") for note in notes) == MOST_REASONS
    assert "2 more builds cannot go onto this board." in notes


def test_a_build_for_another_chip_is_said_beside_one_that_fits(tmp_path: Path) -> None:
    other = build("/fw/rp/blinky.elf", 0x10000000)
    assert Talk(facts(tmp_path, builds=(other, APP1)), CHIP).outlook.notes[0] == (
        "Not offered: rp/blinky.elf: it is linked for 0x10000000-0x10004fff, which is not in this flash."
    )


def test_a_program_in_the_middle_of_a_sector_may_have_left_room_for_a_header(tmp_path: Path) -> None:
    mid = build("/fw/z/zephyr.elf", 0x08020200)
    with pytest.raises(RequestError, match="if that leaves room for an MCUboot header, take the signed file"):
        _ = Talk(facts(tmp_path, builds=(mid,)), CHIP).outlook


def test_a_named_partition_keeps_its_name(tmp_path: Path) -> None:
    given = replace(CHIP, images=(APP1.best.path, APP2.best.path), names={APP2.best.path: "partition2"})
    talk = Talk(facts(tmp_path), given)
    talk.answer("y")
    assert list(finished(talk).profile.partitions) == ["bootloader", "app1", "partition2"]
    alone = replace(given, images=(APP2.best.path,))
    in_front = build("/fw/a/other.bin", 0x080C0000)
    notes = Talk(facts(tmp_path, builds=(APP2, in_front)), alone).outlook.notes
    assert "partition2 ends at 0x080c0000, where other begins." in notes
    same = replace(given, names={APP1.best.path: "a", APP2.best.path: "a"})
    with pytest.raises(RequestError, match="two partitions would be called a"):
        _ = Talk(facts(tmp_path), same).outlook


def test_an_image_without_a_place_is_refused_in_words(tmp_path: Path) -> None:
    odd = build("/fw/odd.bin", 0x08021234, 4 * K)
    given = replace(CHIP, images=(odd.best.path,))
    with pytest.raises(RequestError, match="has no place in the flash") as caught:
        _ = Talk(facts(tmp_path, builds=(odd,)), given).outlook
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_on_a_board_that_is_configured_named_images_count_and_other_options_are_said_to_do_nothing(
    tmp_path: Path,
) -> None:
    first = Talk(facts(tmp_path), CHIP)
    first.answer("")
    first.answer("y")
    config = first.facts.check(finished(first).text)
    known = replace(facts(tmp_path), config=config).now(
        (), (BoardState(name="product-1", profile="product", presence=Presence.DFU),)
    )
    newer = build("/fw/app1/Release/APP1.bin", 0x08020000)
    known = replace(known, builds=(newer, *known.builds))
    assert finished(Talk(known)).images[0] == ImageFor("app1", APP1.best.path), "the one that is watched"
    given = replace(CHIP, images=(newer.best.path,), names={newer.best.path: "app1"}, name="gadget")
    talk = Talk(known, given)
    assert finished(talk).images == (ImageFor("app1", newer.best.path),)
    assert talk.outlook.notes == ("This board is configured and stays as it is: nothing comes of --chip, --name.",)
    for name in ("app3", "bootloader"):
        with pytest.raises(RequestError, match=f"no partition '{name}' that can be flashed"):
            _ = Talk(known, replace(given, names={newer.best.path: name})).outlook
