"""`flashdeck init` as a new user meets it: an empty home, a board that nobody has configured, and two builds."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_run import Cli, Run
from first_steps_bench import FIRST_CASE, ONE, STACK, TWO, NewUser, new_user, talked
from flashdeck import api
from flashdeck.config_file import load
from flashdeck_tui.cli import main
from product_images import program
from pseudo_terminal import OnTerminal
from rig import APP1, PARTITION2, PATIENCE, board
from schema_check import closed, document, faults

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
BOOTLOADER = 0x08000000
SCHEMA = closed(document("cli.schema.json"))
MOST_COMMANDS = 3
MOST_ANSWERS = 5
MOST_WORDS = 900
"""Words that a new user reads until both partitions are flashed; it was 1,900 without init."""
UNHURRIED = FIRST_CASE.replace('timing = "none"', "slowdown = 15")
"""So slow that the second command of a script comes while the first still writes: then the board has left."""
OVERDRAWN = re.compile(r"(\x1b\[2K[^\n]*\n)+(?=\x1b\[\d+A)")
"""The bars of jobs that were drawn again: how often that happens is up to the machine."""


@pytest.fixture
def user() -> Iterator[NewUser]:
    with new_user() as somebody:
        yield somebody


def words_before_init() -> int:
    """Count the words of the README up to the line that tells of init."""
    text = (ROOT / "README.md").read_text().partition("## The loop")[0]
    before, init, after = text.partition("flashdeck init")
    return len(f"{before}{init}{after.partition(chr(10))[0]}".split())


def test_from_nothing_to_both_partitions_in_few_answers(user: NewUser) -> None:
    user.start(FIRST_CASE)
    bootloader = user.flash("new", BOOTLOADER, 128 * 1024)
    commands = [("init", "--virtual", str(user.project))]
    terminal = user.types(*commands[0])
    answers = talked(
        terminal,
        {"Number or name [1]:": "", "Numbers, several with spaces [1 2]:": "", "Letter [y]:": "t", "(y/n):": "y"},
    )
    assert terminal.ended() == 0, terminal.seen.decode()
    said = terminal.seen.decode()

    assert user.flash("new", APP1, len(ONE)) == ONE
    assert user.flash("new", PARTITION2, len(TWO)) == TWO
    assert user.flash("new", BOOTLOADER, 128 * 1024) == bootloader, "the bootloader is untouched"
    partitions = load(user.config).profiles["product"].partitions
    assert partitions["bootloader"].protected
    assert partitions["bootloader"].span.end == APP1

    assert len(commands) <= MOST_COMMANDS
    assert len(answers) <= MOST_ANSWERS, answers
    assert answers[-1] == ("(y/n):", "y")
    assert "0x" not in "".join(answer for _, answer in answers), "no address is typed"
    words = len(re.sub(r"\x1b\[[0-9;]*m", "", OVERDRAWN.sub("", said)).split()) + words_before_init()
    assert words <= MOST_WORDS, words
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines())) <= 200


def test_after_it_each_build_lands_by_itself(user: NewUser) -> None:
    user.start(FIRST_CASE)
    assert user.runs("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--banks", "trusted", "fw").code == 0
    newer = program(STACK, APP1 + 0x301, 24_000)
    user.built("APP1", newer)
    user.ask(api.VirtualPress(boards=("new",)))
    outcome = user.ask(api.Wait(partition="app1", boards=("product-1",), timeout=60.0)).boards[0]
    assert outcome.is_there, outcome
    assert user.flash("new", APP1, len(newer)) == newer


def test_a_second_run_writes_nothing_and_flashes_what_is_new(user: NewUser) -> None:
    user.start(FIRST_CASE)
    first = user.runs("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--banks", "trusted", "fw")
    assert first.code == 0, first.err
    text = user.config.read_bytes()
    user.presses("new", "product-1")
    again = user.runs("init", "--virtual", "--yes", "fw", "--json")
    assert (again.code, again.json["jobs"]) == (0, []), again.err
    assert "Nothing to do" in again.err

    user.ask(api.Disarm(boards=("product-1",)))
    newer = program(STACK, APP1 + 0x301, 24_000)
    user.built("APP1", newer)
    once_more = user.runs("init", "--virtual", "--yes", "fw")
    assert once_more.code == 0, once_more.err
    assert "configured already" in once_more.err
    assert user.flash("new", APP1, len(newer)) == newer, "its yes counts for what would be offered"
    assert user.config.read_bytes() == text


def test_with_a_plain_yes_the_other_bank_waits_for_one_release(user: NewUser) -> None:
    user.start(FIRST_CASE)
    run = user.runs("init", "--virtual", "--yes", "--chip", "STM32H563RG", "fw", "--json")
    assert run.code in {10, 13}, run.err
    states = {job["partition"]: job["status"]["state"] for job in run.json["jobs"]}
    assert states == {"app1": "done", "app2": "blocked"}
    assert faults(run.json, SCHEMA, SCHEMA["commands"]["init"]["json"]) == []
    assert "flashdeck release" in run.err
    user.ask(api.VirtualPress(boards=("new",)))
    user.ask(api.Release(boards=("product-1",)))
    assert user.ask(api.Wait(partition="app2", boards=("product-1",), timeout=60.0)).boards[0].is_there
    assert user.flash("new", PARTITION2, len(TWO)) == TWO


def test_a_running_board_is_waited_for_and_its_way_back_is_known(user: NewUser) -> None:
    old = user.root / "old.bin"
    old.write_bytes(program(STACK, APP1 + 0x201, 8_000))
    has_old = f'contents = [{{ address = 0x08020000, file = "{old}" }}]\n'
    user.start(board("new", serial="TEST00000001", start="boot") + has_old)
    terminal = user.types("init", "--virtual", str(user.project))
    terminal.until(b"Bring it into DFU mode now")
    user.ask(api.VirtualPress(boards=("new",)))
    answers = talked(
        terminal,
        {"[1]:": "", "[1 2]:": "", "Letter [y]:": "y", "(y/n/w):": "y"},
    )
    assert terminal.ended() == 0, terminal.seen.decode()
    profile = load(user.config).profiles["product"]
    assert (profile.enter, str(profile.app)) == ("detach", "0483:5740")
    assert len(answers) <= MOST_ANSWERS, answers
    assert user.flash("new", PARTITION2, len(TWO)) == TWO


def two_boards(user: NewUser, keys: str) -> str:
    """Two boards of one product, with an older program and a serial each."""
    old = user.root / "old.bin"
    old.write_bytes(program(STACK, APP1 + 0x201, 8_000))
    contents = f'contents = [{{ address = 0x08020000, file = "{old}" }}]\n'
    return "\n".join(
        f'[boards.new{number}]\n{keys}{contents}serial = "TEST0000000{number}"\nport = {number}\ntiming = "none"\n'
        for number in (1, 2)
    )


@pytest.mark.parametrize(
    ("keys", "last", "enter"),
    [
        ('model = "classic"\nstart = "dfu"\n', "(y/n):", "manual"),
        pytest.param('model = "classic"\nruntime = true\n', "(y/n/w):", "detach", marks=pytest.mark.long),
        pytest.param(
            'model = "classic"\nruntime = true\nserial_port = "touch-1200"\n',
            "(y/n/w):",
            "detach",
            marks=pytest.mark.long,
        ),
        pytest.param('model = "tinyusb"\nruntime = true\n', "(y/n/w):", "detach", marks=pytest.mark.long),
    ],
)
def test_with_two_boards_of_one_product_it_is_five_answers_too(user: NewUser, keys: str, last: str, enter: str) -> None:
    """The most that can be asked: which board, its chip or settings, the images, the map, and the last yes."""
    user.start(two_boards(user, keys))
    other = user.flash("new2", APP1, len(ONE))
    terminal = user.types("init", "--virtual", str(user.project))
    terminal.until(b"Number:")
    terminal.types(b"1\n")
    if "dfu" not in keys:
        terminal.until(b"Bring it into DFU mode now")
        user.ask(api.VirtualPress(boards=("new1",)))
    prompts = {
        "or name [1]:": "",
        "spaces [1 2]:": "",
        "spaces [1]:": "2",
        "Its number [0]:": "",
        "Letter [y]:": "t" if "classic" in keys else "y",
        last: "y",
    }
    answers = talked(terminal, prompts)
    assert terminal.ended() == 0, terminal.seen.decode()
    assert 1 + len(answers) == MOST_ANSWERS, answers
    assert load(user.config).profiles["product"].enter == enter
    assert user.flash("new1", APP1, len(ONE)) == ONE
    assert user.flash("new2", APP1, len(ONE)) == other, "the other board is left alone"


@pytest.mark.long
def test_a_board_with_a_serial_port_is_asked_nothing_more(user: NewUser) -> None:
    """A touch is no sensible default, for many applications do not heed it: it is offered behind the last question."""
    user.start(two_boards(user, 'model = "classic"\nserial_port = "touch-1200"\n').partition("\n\n")[0])
    terminal = user.types("init", "--virtual", str(user.project))
    terminal.until(b"Plug the board in now")
    user.ask(api.VirtualPress(boards=("new1",)))
    prompts = {"or name [1]:": "", "spaces [1 2]:": "", "Letter [y]:": "t", "(y/n/w):": "y"}
    answers = talked(terminal, prompts)
    assert terminal.ended() == 0, terminal.seen.decode()
    assert len(answers) == len(prompts)
    assert "w changes how it gets into DFU mode: touch-1200, manual" in terminal.seen.decode()
    assert load(user.config).profiles["product"].enter == "manual"


@pytest.mark.long
def test_another_way_into_dfu_mode_is_asked_of_who_wants_one(user: NewUser) -> None:
    old = user.root / "old.bin"
    old.write_bytes(program(STACK, APP1 + 0x201, 8_000))
    has_old = f'contents = [{{ address = 0x08020000, file = "{old}" }}]\n'
    user.start(board("new", serial="TEST00000001", start="boot") + has_old)
    terminal = user.types("init", "--virtual", "--banks", "trusted", str(user.project))
    terminal.until(b"Bring it into DFU mode now")
    user.ask(api.VirtualPress(boards=("new",)))
    for prompt, typed in (
        ("or name [1]:", ""),
        ("spaces [1 2]:", "2"),
        ("Letter [y]:", "y"),
        ("(y/n/w):", "w"),
        ("Letter [d]:", "m hold SW2, press RESET"),
        ("(y/n/w):", "n"),
    ):
        seen = len(terminal.seen)
        while prompt.encode() not in terminal.seen[seen:] + terminal.seen[-40:]:
            assert terminal.reads(60)
        terminal.types(typed.encode() + b"\n")
    said = " ".join(terminal.rest().split())
    assert terminal.ended() == 1
    assert "w changes how it gets into DFU mode: detach, touch-1200, manual or a program of yours." in said
    above = said.rpartition("Go ahead?")[0].rpartition("flashdeck will now")[2]
    assert "(by hand: hold SW2, press RESET) w changes" in above, (
        "the way that was chosen stands above the last question"
    )
    assert not user.config.exists()


def test_plugging_in_is_noticed_and_ctrl_c_leaves_nothing_behind(user: NewUser) -> None:
    user.start(FIRST_CASE)
    user.ask(api.VirtualUnplug(boards=("new",)))
    terminal = user.types("init", "--virtual", str(user.project))
    terminal.until(b"Plug the board in now")
    user.ask(api.VirtualPlug(boards=("new",)))
    terminal.until(b"Number or name [1]:")
    terminal.types(b"\x03")
    terminal.rest()
    assert terminal.ended() == 130
    assert not user.config.parent.exists()
    assert not user.ask(api.GetJobs()).jobs


def test_a_file_that_says_nothing_is_written(user: NewUser) -> None:
    own = user.root / "mine.toml"
    own.write_text("\n")
    user.start(FIRST_CASE, "--config", str(own))
    run = user.runs("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--banks", "trusted", "fw")
    assert run.code == 0, run.err
    assert load(own).boards["product-1"].serial == "336E36833233"


def test_a_configuration_that_is_there_is_not_changed(user: NewUser) -> None:
    user.config.parent.mkdir(parents=True)
    mine = "# mine\n[daemon]\nsettle = '60ms'\n"
    user.config.write_text(mine)
    user.start(FIRST_CASE)
    script = user.runs("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--banks", "trusted", "fw")
    assert script.code == 13
    assert 'include = ["product.toml"]' in script.err
    assert script.err.count("run flashdeck init again") == 1
    assert user.config.read_text() == mine

    terminal = user.types("init", "--virtual", "--chip", "STM32H563RG", "--banks", "trusted", str(user.project))
    done = talked_until_include(terminal)
    assert done[-1] == ("(y/n):", "y")
    user.config.write_text('include = ["product.toml"]\n' + mine)
    terminal.rest()
    assert terminal.ended() == 0, terminal.seen.decode()
    assert sorted(path.name for path in user.config.parent.iterdir() if path.suffix == ".toml") == [
        "flashdeck.toml",
        "product.toml",
    ]
    assert user.flash("new", PARTITION2, len(TWO)) == TWO


@pytest.mark.long
def test_a_pasted_dry_run_waits_until_the_file_is_included(user: NewUser) -> None:
    user.config.parent.mkdir(parents=True)
    user.config.write_text("# mine\n")
    user.start(UNHURRIED)
    user.until_plugged_in()
    run = user.runs("init", "--virtual", "--yes", "--chip", "H563RG", "--banks", "trusted", "--dry-run", "fw")
    shell = {**user.variables, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with subprocess.Popen("/bin/bash", stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=shell) as pasted:
        try:
            assert pasted.stdin is not None
            assert pasted.stdout is not None
            pasted.stdin.write(run.out.encode())
            pasted.stdin.close()
            assert b'include = ["product.toml"] Waiting for it.' in pasted.stdout.readline()
            user.config.write_text('include = ["product.toml"]\n')
            assert pasted.wait(60 * PATIENCE) == 0
        finally:
            pasted.kill()
    assert user.flash("new", PARTITION2, len(TWO)) == TWO


def talked_until_include(terminal: OnTerminal) -> list[tuple[str, str]]:
    typed: list[tuple[str, str]] = []
    for prompt, answer in (("[1 2]:", ""), ("Letter [y]:", "y"), ("(y/n):", "y")):
        terminal.until(prompt.encode())
        terminal.types(answer.encode() + b"\n")
        typed.append((prompt, answer))
    terminal.until(b"Waiting for it.")
    return typed


@pytest.fixture(scope="module")
def unchanged() -> Iterator[NewUser]:
    """Somebody whose daemon several tests share, because none of them changes anything."""
    with new_user() as somebody:
        (somebody.root / "empty").mkdir()
        (somebody.root / "cut.hex").write_text("cut off here" * 10)
        somebody.start(FIRST_CASE)
        yield somebody


@pytest.fixture
def here(unchanged: NewUser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command line in this process, for that user."""
    monkeypatch.chdir(unchanged.root)
    for name in set(os.environ) - set(unchanged.variables):
        monkeypatch.delenv(name)
    for name, value in unchanged.variables.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Run:
        code = main(words)
        out, err = capsys.readouterr()
        return Run(code, out, err)

    return run


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("init", "fw"), 2, "--yes"),
        (("init", "--yes", "--virtual", "fw"), 7, "--chip"),
        (("init", "--yes", "--virtual", "--chip", "H563RG", "--device", "9-9", "fw"), 4, "there is no device"),
        (("init", "--yes", "--virtual", "--chip", "H563RG", "empty"), 2, "no image was found"),
        (("init", "--yes", "--virtual", "--chip", "H563RG", "--enter", "detach", "fw"), 2, "--app"),
        (("init", "--yes", "--virtual", "--chip", "H563XX", "fw"), 2, "chip table"),
        (("init", "--yes", "--virtual", "--enter", "jump", "fw"), 2, "touch-1200"),
        (("init", "--yes", "--virtual", "--enter", "command=", "fw"), 2, "Name the program, as ./enter-dfu"),
        (("init", "--yes", "--virtual", "--alt", "", "fw"), 2, "number or a name"),
        (("init", "--yes", "--virtual", "--alt", "0,,1", "fw"), 2, "number or a name"),
        (("init", "--yes", "--virtual", "--image", "a=nowhere/a.bin", "fw"), 2, "there is no file nowhere/a.bin"),
        (("init", "--yes", "--virtual", "--image", "a=cut.hex", "fw"), 2, "is no Intel HEX record"),
        (("init", "--yes", "--virtual", "--image", "app1", "fw"), 2, "PARTITION=FILE"),
        (("init", "--yes", "--virtual", "--chip", "H563RG", "--image", "a=bench.toml", "fw"), 2, "no image"),
        (("init", "--yes", "--virtual", "--app", "x", "fw"), 2, "USB id"),
        (("init", "--yes", "--virtual", "--name", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", "fw"), 2, "letters"),
    ],
)
def test_each_way_of_going_wrong_is_said(
    unchanged: NewUser, here: Cli, words: tuple[str, ...], code: int, says: str
) -> None:
    run = here(*words)
    assert run.code == code
    assert says in run.err
    assert not unchanged.config.exists()


def test_a_dry_run_prints_the_file_and_changes_nothing(unchanged: NewUser, here: Cli) -> None:
    run = here("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--dry-run", "fw", "--name", "gadget")
    assert run.code == 0, run.err
    parsed = tomllib.loads(run.out.partition("<<'END_OF_FILE'\n")[2].partition("END_OF_FILE")[0])
    assert list(parsed["profiles"]) == ["gadget"]
    assert not unchanged.config.exists()
    assert "# app2: if the board cannot be read, it waits for 'flashdeck release'\n" in run.out
    assert not unchanged.ask(api.GetJobs()).jobs
    as_json = here("init", "--virtual", "--yes", "--chip", "STM32H563RG", "--dry-run", "fw", "--json").json
    assert as_json["dry_run"]
    assert [each["partition"] for each in as_json["images"]] == ["app1", "app2"]
    assert as_json["toml"].count("protected") == 1
    assert faults(as_json, SCHEMA, SCHEMA["commands"]["init"]["json"]) == []


@pytest.mark.long
@pytest.mark.parametrize("by", ["--virtual", "--socket"])
def test_what_a_dry_run_prints_does_the_same_as_init(by: str) -> None:
    """Pasted into a shell of its own: the same file, the same bytes in the flash."""
    done: list[tuple[str, bytes, bytes]] = []
    for pasted in (False, True):
        with new_user() as user:
            user.start(UNHURRIED)
            user.until_plugged_in()
            words = (by, *([str(user.socket)] if by == "--socket" else []), "init", "--yes", "--chip", "H563RG")
            run = user.runs(*words, "--banks", "trusted", "fw", *(["--dry-run"] if pasted else []))
            assert run.code == 0, run.err
            if pasted:
                assert not user.config.exists()
                path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
                shell = {**user.variables, "PATH": path}
                subprocess.run("/bin/bash", input=run.out.encode(), env=shell, check=True, timeout=180)
            text = user.config.read_text().replace(str(user.root), "")
            done.append((text, user.flash("new", APP1, len(ONE)), user.flash("new", PARTITION2, len(TWO))))
    assert done[0] == done[1]
    assert done[0][1:] == (ONE, TWO)


def test_without_the_bench_that_was_asked_for_it_says_how_to_start_it(user: NewUser) -> None:
    run = user.runs("init", "--virtual", "--yes", "fw")
    assert run.code == 3
    assert "flashdeckd --virtual" in run.err


def test_a_failure_half_way_says_what_was_done_and_the_next_run_goes_on(user: NewUser) -> None:
    user.start(FIRST_CASE)
    terminal = user.types("init", "--virtual", "--chip", "H563RG", "--banks", "trusted", str(user.project))
    for prompt, answer in (("[1 2]:", ""), ("Letter [y]:", "y")):
        terminal.until(prompt.encode())
        terminal.types(answer.encode() + b"\n")
    terminal.until(b"(y/n):")
    user.built("APP2", ONE)  # a wrong build, just before the yes
    terminal.types(b"y\n")
    said = " ".join(terminal.rest().split())
    assert terminal.ended() == 9, said
    assert "done before: wrote" in said
    assert "run flashdeck init again" in said
    assert user.flash("new", APP1, len(ONE)) == ONE, "the one that was right is there"

    user.built("APP2", TWO)
    user.presses("new", "product-1")
    assert user.ask(api.Wait(partition="app2", boards=("product-1",), timeout=60.0)).boards[0].is_there
    assert user.flash("new", PARTITION2, len(TWO)) == TWO, "the build that was put right lands by itself"


def test_an_image_that_is_gone_at_the_yes_changes_nothing(user: NewUser) -> None:
    user.start(FIRST_CASE)
    terminal = user.types("init", "--virtual", "--chip", "H563RG", "--banks", "trusted", str(user.project))
    for prompt, answer in (("[1 2]:", "1"), ("Letter [y]:", "y")):
        terminal.until(prompt.encode())
        terminal.types(answer.encode() + b"\n")
    terminal.until(b"(y/n):")
    for path in user.project.rglob("*.bin"):
        path.unlink()
    terminal.types(b"y\n")
    assert "there is no file" in " ".join(terminal.rest().split())
    assert terminal.ended() == 2
    assert not user.config.exists()


def plain_bench(model: str) -> str:
    """A board without addresses, whose application can be asked to detach."""
    return (
        f'[boards.gadget]\nmodel = "{model}"\nserial = "TEST00000001"\nproduct = "Gadget"\ndfu = "cafe:4000"\n'
        'app = "cafe:4001"\nruntime = true\nport = 2\ntiming = "none"\n'
    )


def test_both_partitions_of_a_board_without_addresses(user: NewUser) -> None:
    user.start(plain_bench("zephyr"))
    terminal = user.types("init", "--virtual", str(user.project))
    answers = {"spaces [1]:": "1 2", "in this order [0 1]:": "", "Letter [y]:": "", "(y/n):": "y"}
    typed = talked(terminal, answers)
    assert terminal.ended() == 0, terminal.seen.decode()
    said = " ".join(terminal.seen.decode().split())
    assert "Which of its alternate settings, 0 and 1, take APP1, APP2?" in said
    assert len(typed) <= MOST_ANSWERS
    assert user.flash("gadget", APP1, len(ONE)) == ONE
    assert user.flash("gadget", PARTITION2, len(TWO)) == TWO
    profile = load(user.config).profiles["product"]
    assert {name: each.alternate for name, each in profile.partitions.items()} == {"app1": 0, "app2": 1}


def test_the_one_setting_of_a_board_without_addresses_is_not_asked_for(user: NewUser) -> None:
    small = program(0x20005000, APP1 + 0x201, 2_000)  # its boot check wants a small RAM
    user.built("APP1", small)
    user.start(plain_bench("dapboot"))
    terminal = user.types("init", "--virtual", str(user.project))
    typed = talked(terminal, {"spaces [1]:": "", "Letter [y]:": "", "(y/n):": "y"})
    assert terminal.ended() == 0, terminal.seen.decode()
    assert typed == [("spaces [1]:", ""), ("Letter [y]:", ""), ("(y/n):", "y")]
    assert user.flash("gadget", APP1, len(small)) == small


def test_a_script_says_which_setting_of_several_it_means(user: NewUser) -> None:
    user.start(plain_bench("tinyusb"))
    unsaid = user.runs("init", "--virtual", "--yes", "fw")
    assert (unsaid.code, user.config.exists()) == (2, False)
    assert "say it with --alt" in unsaid.err
    image = f"--image=main={user.built('APP1', ONE)}"
    said = user.runs("init", "--virtual", "--yes", image, "--alt", "0", "fw", "--json")
    assert said.code == 0, said.err
    assert [image["partition"] for image in said.json["images"]] == ["main"]
    assert user.flash("gadget", APP1, len(ONE)) == ONE
