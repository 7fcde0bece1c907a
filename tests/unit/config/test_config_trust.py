"""Included files do not widen what may be done before a person has confirmed it."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from flashdeck.config import Config, Console, Enter, EnterCommand, Guard, Hooks, Host, OnCrash
from flashdeck.config_change import changes, succeeding
from flashdeck.config_file import load
from flashdeck.config_record import ConfigRecord, hooks_record, hosts_record, record_from, record_of
from flashdeck.config_trust import (
    CONFIRMED_FILES,
    Included,
    Unconfirmed,
    claims,
    confirming,
    digest,
    included,
    restricted,
    widening,
)
from flashdeck.geometry import Range

MAIN = 'include = ["fw/flashdeck.toml"]\n[boards.left]\nprofile = "product"\nserial = "A1"\n'
PROJECT = """
[profiles.product]
dfu = "0483:df11"
app = "0483:5740"
enter = "detach"
flash = "STM32H563RG"
[profiles.product.partitions.bootloader]
address = 0x08000000
size = "128K"
protected = true
[profiles.product.partitions.app1]
address = 0x08020000
size = "384K"
image = "APP1.bin"
"""
BOOTLOADER = Range(0x08000000, 0x08020000)
COMMAND = 'enter = { command = ["/bin/true", "x"] }'


class Project:
    """A configuration that includes the file of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "fw" / "flashdeck.toml"
        self.file.parent.mkdir()
        self.main = root / "c.toml"
        self.main.write_text(MAIN)
        self.write(PROJECT)
        self.record = self.confirmed()

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.write(text.replace(old, new))

    @property
    def config(self) -> Config:
        return load(self.main)

    def confirmed(self) -> ConfigRecord:
        """All of it, as it is now, is confirmed and in force."""
        record = record_of(self.config)
        for path, file in included(self.config).items():
            record = confirming(record, path, file)
        return record

    def look(self) -> tuple[Config, tuple[Unconfirmed, ...]]:
        """What counts now; it is in force from then on."""
        config, unconfirmed = restricted(self.config, self.record)
        kept = record_from(
            msgspec.json.encode(
                msgspec.structs.replace(
                    record_of(config),
                    confirmed=self.record.confirmed,
                    hooks=self.record.hooks,
                    hosts=self.record.hosts,
                )
            )
        )
        self.record = kept
        return config, unconfirmed


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_was_confirmed_counts(project: Project) -> None:
    project.change('enter = "detach"', COMMAND)
    project.record = project.confirmed()
    config, unconfirmed = project.look()
    assert unconfirmed == ()
    assert config == project.config
    assert config.boards["left"].profile.enter == EnterCommand(command=("/bin/true", "x"))


def test_a_command_that_an_included_file_brings_is_not_run(project: Project) -> None:
    project.change('enter = "detach"', COMMAND)
    config, (told,) = project.look()
    assert config.profiles["product"].enter is Enter.MANUAL
    assert config.boards["left"].profile.enter is Enter.MANUAL
    (line,) = told.lines
    assert line.startswith("line 5, [profiles.product] enter: ")
    assert line.endswith("is not confirmed; until then none is run")
    assert told.boards == ("left",)
    assert told.hint == f"look at it, then: flashdeck config trust {project.file}"


def test_the_command_that_was_confirmed_last_stands(project: Project) -> None:
    project.change('enter = "detach"', COMMAND)
    project.record = project.confirmed()
    project.change("/bin/true", "/bin/false")
    config, (told,) = project.look()
    assert config.profiles["product"].enter == EnterCommand(command=("/bin/true", "x"))
    assert "stands" in told.lines[0]


def test_a_console_at_a_path_is_not_opened_before_it_is_confirmed(project: Project) -> None:
    console = '[profiles.product.console]\nport = "/dev/ttyACM7"\n'
    project.change("[profiles.product.partitions.bootloader]", console + "[profiles.product.partitions.bootloader]")
    config, (told,) = project.look()
    assert config.profiles["product"].console is None
    (line,) = told.lines
    assert line.startswith("line 7, [profiles.product] console: ")
    assert line.endswith("is not confirmed; until then no port is opened")
    project.record = project.confirmed()
    config, unconfirmed = project.look()
    assert (config.profiles["product"].console, unconfirmed) == (Console(port="/dev/ttyACM7"), ())
    project.change("ttyACM7", "ttyACM8")
    config, (told,) = project.look()
    assert config.profiles["product"].console == Console(port="/dev/ttyACM7")
    assert "stands" in told.lines[0]


def test_the_console_of_the_application_counts_at_once(project: Project) -> None:
    console = '[profiles.product.console]\nport = "app"\nbaud = 9600\n'
    project.change("[profiles.product.partitions.bootloader]", console + "[profiles.product.partitions.bootloader]")
    config, unconfirmed = project.look()
    assert unconfirmed == ()
    assert config.profiles["product"].console == Console(port="app", baud=9600)


JUDGED = """[profiles.product.console]
port = "app"
ready = "app1"
stays = "2s"
"""


def test_a_board_goes_back_by_itself_only_once_that_is_confirmed(project: Project) -> None:
    first = "[profiles.product.partitions.bootloader]"
    project.change(first, f'{JUDGED}on_crash = "rollback"\n{first}')
    config, (told,) = project.look()
    console = config.profiles["product"].console
    assert console is not None
    assert (console.ready, console.on_crash) == ("app1", OnCrash.NOTHING)
    (line,) = told.lines
    assert line.startswith('line 11, [profiles.product.console] on_crash: "rollback" is not confirmed; until then ')
    assert line.endswith("no board goes back by itself")
    assert 'console.on_crash = "rollback"' in " ".join(widening(included(load(project.main))[str(project.file)]))
    project.record = project.confirmed()
    config, unconfirmed = project.look()
    assert (config.profiles["product"].console, unconfirmed) == (replace(console, on_crash=OnCrash.ROLLBACK), ())
    project.change('ready = "app1"', 'ready = "ready"')  # that is no more than it was
    assert project.look()[1] == ()
    project.change('"rollback"', '{ rollback_after = ["crashed", "silent"] }')
    config, (told,) = project.look()
    assert config.profiles["product"].console == replace(console, ready="ready", on_crash=OnCrash.ROLLBACK)
    assert told.lines[0].endswith('is not confirmed; until then "rollback" stands')
    project.change('on_crash = { rollback_after = ["crashed", "silent"] }', "")
    config, unconfirmed = project.look()
    assert (config.profiles["product"].console, unconfirmed) == (replace(console, ready="ready"), ())


def test_a_console_at_a_path_and_what_follows_from_a_crash_are_confirmed_each_by_itself(project: Project) -> None:
    first = "[profiles.product.partitions.bootloader]"
    project.change(first, f"{JUDGED.replace('app', '/dev/ttyACM7', 1)}{first}")
    project.record = project.confirmed()
    project.change('stays = "2s"', 'stays = "2s"\non_crash = "rollback"')
    config, (told,) = project.look()
    assert len(told.lines) == 1
    console = Console(port="/dev/ttyACM7", ready="app1", stays=2.0)
    assert config.profiles["product"].console == console
    project.record = project.confirmed()
    project.change("ttyACM7", "ttyACM8")
    config, (told,) = project.look()
    assert len(told.lines) == 1
    assert config.profiles["product"].console == replace(console, on_crash=OnCrash.ROLLBACK)


def test_a_way_in_that_is_no_command_counts_at_once(project: Project) -> None:
    project.change('enter = "detach"', 'enter = "manual"')
    config, unconfirmed = project.look()
    assert (config.profiles["product"].enter, unconfirmed) == (Enter.MANUAL, ())


HOOK = '[hooks]\ndone = ["/bin/true", "x"]\n'


def test_a_hook_that_an_included_file_brings_is_not_run(project: Project) -> None:
    project.write(HOOK + PROJECT.replace("APP1.bin", "OTHER.bin"))
    assert project.config.hooks == Hooks(done=("/bin/true", "x"))
    config, (told,) = project.look()
    assert config.hooks == Hooks()
    assert told.lines == ('line 2, [hooks] done: ["/bin/true", "x"] is not confirmed; until then none is run',)
    assert told.boards == ("left",)
    assert config.profiles["product"].partitions["app1"].image.endswith("OTHER.bin"), "the rest of the file counts"
    project.record = project.confirmed()
    assert project.look() == (project.config, ())


def test_the_hook_that_was_confirmed_last_stands_and_the_main_files_hooks_count(project: Project) -> None:
    project.main.write_text(MAIN.replace("\n", '\n[hooks]\nfailed = ["mail"]\n', 1))
    project.write(HOOK + PROJECT)
    project.record = project.confirmed()
    project.change("/bin/true", "/bin/false")
    config, (told,) = project.look()
    assert config.hooks == Hooks(done=("/bin/true", "x"), failed=("mail",))
    assert told.lines == (
        'line 2, [hooks] done: ["/bin/false", "x"] is not confirmed; until then ["/bin/true", "x"] stands',
    )


def test_a_hook_that_goes_is_gone_at_once_and_what_was_confirmed_counts_when_it_is_back(project: Project) -> None:
    project.write(HOOK + PROJECT)
    project.record = project.confirmed()
    project.write(PROJECT)
    config, unconfirmed = project.look()
    assert (config.hooks, unconfirmed) == (Hooks(), ())
    project.write(HOOK + PROJECT)
    config, unconfirmed = project.look()
    assert (config.hooks, unconfirmed) == (Hooks(done=("/bin/true", "x")), ())


HOST = '[hosts.bench]\nssh = "ann@bench"\n'


def test_a_machine_that_an_included_file_brings_is_none(project: Project) -> None:
    project.write(PROJECT + HOST)
    config, (told,) = project.look()
    assert (project.config.hosts.keys(), config.hosts) == ({"bench"}, {})
    (line,) = told.lines
    assert line.endswith(
        '[hosts.bench] ssh = "ann@bench", command = ["flashdeck"] is not confirmed; until then it is no host'
    )
    project.record = project.confirmed()
    config, unconfirmed = project.look()
    assert (config.hosts, unconfirmed) == ({"bench": Host(ssh="ann@bench")}, ())


def test_the_machine_that_was_confirmed_last_stands_and_the_main_files_machines_count(project: Project) -> None:
    project.write(PROJECT + HOST)
    project.record = project.confirmed()
    project.change("ann@bench", "mallory@bench")
    project.main.write_text(MAIN + '[hosts.lab]\ncommand = ["fd"]\n')
    config, (told,) = project.look()
    assert config.hosts == {"bench": Host(ssh="ann@bench"), "lab": Host(command=("fd",))}
    assert told.lines[0].endswith('until then ssh = "ann@bench", command = ["flashdeck"] stands')
    project.write(PROJECT)
    config, unconfirmed = project.look()
    assert (config.hosts.keys(), unconfirmed) == ({"lab"}, ())


def test_a_group_of_machines_counts_like_a_machine_once_it_is_confirmed(project: Project) -> None:
    project.write(PROJECT + '[hosts.lab]\nhosts = ["bench"]\n')
    config, (told,) = project.look()
    assert config.hosts == {}
    assert told.lines[0].endswith('[hosts.lab] hosts = ["bench"] is not confirmed; until then it is no host')
    project.record = project.confirmed()
    project.change('["bench"]', '["mallory"]')
    config, _ = project.look()
    assert {name: host.hosts for name, host in config.hosts.items()} == {"lab": ("bench",)}


def test_a_file_of_nothing_but_machines_is_confirmed_like_any_other(project: Project) -> None:
    more = project.root / "hosts.toml"
    more.write_text(HOST)
    project.main.write_text(MAIN.replace("[", '["hosts.toml", ', 1))
    _, (told,) = project.look()
    assert (told.file, told.boards) == (more, ())
    assert list(widening(included(project.config)[str(more)])) == [
        '[hosts.bench] ssh = "ann@bench", command = ["flashdeck"]'
    ]
    project.record = project.confirmed()
    assert project.look()[1] == ()


def test_a_file_of_nothing_but_hooks_is_confirmed_like_any_other(project: Project) -> None:
    more = project.root / "hooks.toml"
    more.write_text(HOOK)
    project.main.write_text(MAIN.replace("[", '["hooks.toml", ', 1))
    config, (told,) = project.look()
    assert (config.hooks, told.file, told.boards) == (Hooks(), more, ())
    project.record = project.confirmed()
    assert project.look() == (project.config, ())


def test_boards_of_the_file_are_among_those_that_it_is_said_of(project: Project) -> None:
    project.write(HOOK + PROJECT + '[boards.right]\nprofile = "own"\nserial = "B2"\n')
    own = PROJECT.replace("product", "own").replace("0483:df11", "0483:df12").replace("0483:5740", "0483:5742")
    project.main.write_text(MAIN + own)
    _, (told,) = project.look()
    assert told.boards == ("left", "right")


def test_what_was_confirmed_before_there_were_hooks_of_included_files_names_none(project: Project) -> None:
    record = msgspec.json.decode(msgspec.json.encode(project.record))
    del record["hooks"]
    project.write(HOOK + PROJECT)
    project.record = record_from(msgspec.json.encode(record))
    config, (told,) = project.look()
    assert config.hooks == Hooks()
    assert len(told.lines) == 1


def test_the_rest_of_the_file_counts(project: Project) -> None:
    project.change('enter = "detach"', COMMAND)
    project.change("APP1.bin", "OTHER.bin")
    project.change('app = "0483:5740"', 'app = "0483:5741"')
    config, _ = project.look()
    assert config.profiles["product"].partitions["app1"].image.endswith("OTHER.bin")
    assert str(config.profiles["product"].app) == "0483:5741"


GONE = PROJECT.replace("protected = true\n", "")


@pytest.mark.parametrize(
    "text",
    [
        GONE,
        PROJECT.replace("protected = true", "protected = false"),
        GONE.replace("bootloader]", "boot]"),
        GONE.replace("0x08000000", "0x08010000").replace("128K", "64K"),
    ],
    ids=["gone", "false", "another name", "a part of it"],
)
def test_protected_that_is_gone_is_kept(project: Project, text: str) -> None:
    project.write(text)
    for _ in range(2):  # also at the next look
        config, (told,) = project.look()
        profile = config.profiles["product"]
        assert any(span.covers(BOOTLOADER) for span in profile.protected)
        assert all(each.protected for name, each in profile.partitions.items() if name.startswith("boot"))
        assert any("protected" in line for line in told.lines)
    project.record = project.confirmed()
    config, unconfirmed = project.look()
    assert (config, unconfirmed) == (project.config, ())


def test_protected_of_a_partition_that_is_gone_with_all_its_table_is_kept(project: Project) -> None:
    table = '[profiles.product.partitions.bootloader]\naddress = 0x08000000\nsize = "128K"\nprotected = true\n'
    project.change(table, "")
    config, (told,) = project.look()
    assert config.profiles["product"].protected == (BOOTLOADER,)
    assert told.lines == (
        f"line 7, [profiles.product] partitions: {BOOTLOADER} would not be protected any more; it stays so",
    )


def test_a_partition_that_grows_into_what_was_protected_is_not_written(project: Project) -> None:
    table = '[profiles.product.partitions.bootloader]\naddress = 0x08000000\nsize = "128K"\nprotected = true\n'
    project.change(table, "")
    project.change('address = 0x08020000\nsize = "384K"', 'address = 0x08010000\nsize = "448K"')
    config, _ = project.look()
    assert config.profiles["product"].partitions["app1"].protected


@pytest.mark.parametrize("board", ["left", "other"])
def test_a_profile_that_is_renamed_keeps_what_protected_its_boards(project: Project, board: str) -> None:
    """`board` is the name that the board of this serial has then."""
    project.main.write_text('include = ["fw/flashdeck.toml"]\n')
    project.write(PROJECT + MAIN.partition("\n")[2])
    project.record = project.confirmed()
    renamed = project.file.read_text().replace("product", "renamed").replace("protected = true\n", "")
    project.write(renamed.replace("boards.left", f"boards.{board}"))
    config, (told,) = project.look()
    assert config.boards[board].profile.partitions["bootloader"].protected
    assert told.boards == (board,)
    assert [line.partition(": ")[0] for line in told.lines] == [
        "line 7, [profiles.renamed.partitions.bootloader] protected"
    ]


def test_protected_that_an_included_file_adds_counts_at_once_and_is_kept_when_it_goes(project: Project) -> None:
    project.change('image = "APP1.bin"', "protected = true")
    config, unconfirmed = project.look()
    assert (config.profiles["product"].partitions["app1"].protected, unconfirmed) == (True, ())
    project.change('size = "384K"\nprotected = true', 'size = "384K"\nholds = "data"')
    config, (told,) = project.look()
    assert config.profiles["product"].partitions["app1"].protected
    assert len(told.lines) == 1


def test_a_guard_that_is_left_out_stays_on(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits"]')
    config, (told,) = project.look()
    assert config.profiles["product"].partitions["app1"].guards == {Guard.FITS, Guard.RESET, Guard.STACK}
    (line,) = told.lines
    assert line.startswith("line 14, [profiles.product.partitions.app1] guards: ")
    assert line.endswith('would be without "reset", "stack"; the image must still pass it')


def test_a_guard_that_is_left_out_by_another_key_stays_on(project: Project) -> None:
    project.change('image = "APP1.bin"', 'holds = "data"')
    config, _ = project.look()
    assert config.profiles["product"].partitions["app1"].guards == {Guard.FITS, Guard.RESET, Guard.STACK}


def test_guards_that_were_left_out_when_it_was_confirmed_stay_out_whatever_else_changes(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits", "reset"]')
    project.record = project.confirmed()
    project.write(project.file.read_text() + '[profiles.product.partitions.more]\naddress = 0x08080000\nsize = "8K"\n')
    config, unconfirmed = project.look()
    assert unconfirmed == ()
    assert config.profiles["product"].partitions["app1"].guards == {Guard.FITS, Guard.RESET}


def test_a_crc_that_is_no_longer_checked_stays_on(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits", "reset", "stack", { crc = "crc32", at = "end" }]')
    project.record = project.confirmed()
    project.change(', { crc = "crc32", at = "end" }', "")
    config, (told,) = project.look()
    assert len(config.profiles["product"].partitions["app1"].guards) == 4
    assert 'crc = "crc32"' in told.lines[0]


def test_a_file_that_was_never_confirmed_gets_the_stricter_of_each(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits"]')
    project.change('enter = "detach"', COMMAND)
    project.record = ConfigRecord()
    config, (told,) = project.look()
    assert config.profiles["product"].enter is Enter.MANUAL
    assert Guard.RESET in config.profiles["product"].partitions["app1"].guards
    assert len(told.lines) == 2


def test_what_moves_from_the_main_file_into_an_included_one_keeps_its_protection(project: Project) -> None:
    project.main.write_text(MAIN.replace('include = ["fw/flashdeck.toml"]', "") + PROJECT)
    project.record = record_of(project.config)
    project.main.write_text(MAIN)
    project.change("protected = true\n", "")
    config, (_,) = project.look()
    assert config.profiles["product"].partitions["bootloader"].protected


def test_the_main_file_counts_as_it_is(project: Project) -> None:
    project.main.write_text(MAIN.replace('include = ["fw/flashdeck.toml"]', "") + PROJECT)
    project.record = record_of(project.config)
    text = PROJECT.replace("protected = true\n", "").replace('enter = "detach"', COMMAND)
    project.main.write_text(MAIN.replace('include = ["fw/flashdeck.toml"]', "") + text)
    assert project.look() == (project.config, ())


def test_the_hash_is_over_these_keys_alone(project: Project) -> None:
    def hashed() -> str:
        file = included(project.config)[str(project.file)]
        return digest(claims(file.profiles), hooks_record(file.hooks), hosts_record(file.hosts))

    before = hashed()
    for old, new in (("APP1.bin", "B.bin"), ("0483:5740", "0483:5741"), ('"detach"', '"manual"')):
        project.change(old, new)
        assert hashed() == before
    project.change('address = 0x08020000\nsize = "384K"', 'address = 0x08040000\nsize = "256K"')
    assert hashed() == before, "a partition that moves puts its boards on hold instead"
    for old, new in (
        ('enter = "manual"', COMMAND),
        ("protected = true\n", ""),
        ('image = "B.bin"', 'guards = ["fits"]'),
        ("[profiles.product]", '[hooks]\ndone = ["/bin/true"]\n[profiles.product]'),
    ):
        project.change(old, new)
        assert hashed() != before
        before = hashed()


def test_what_counts_by_being_confirmed_can_be_named(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits"]')
    project.change('enter = "detach"', COMMAND)
    project.write(HOOK + project.file.read_text())
    lines = list(widening(included(project.config)[str(project.file)]))
    assert len(lines) == 3
    assert lines[0] == '[hooks] done = ["/bin/true", "x"]'
    assert lines[1].startswith("[profiles.product] enter = ")
    assert lines[2] == '[profiles.product.partitions.app1] guards without "reset", "stack"'


def test_alternate_settings_stay_protected_too(project: Project) -> None:
    plain = """
[profiles.product]
dfu = "0483:df11"
[profiles.product.partitions.boot]
alt = 0
size = "8K"
protected = true
[profiles.product.partitions.app1]
alt = 1
size = "64K"
"""
    project.write(plain)
    project.record = project.confirmed()
    project.change("protected = true\n", "")
    config, (told,) = project.look()
    assert config.profiles["product"].partitions["boot"].protected
    assert not config.profiles["product"].partitions["app1"].protected
    assert len(told.lines) == 1


def test_of_so_many_confirmed_files_the_last_are_remembered(project: Project) -> None:
    record = ConfigRecord()
    for number in range(CONFIRMED_FILES + 1):
        record = confirming(record, f"/{number}.toml", Included({}))
    assert len(record.confirmed) == len(record.hooks) == len(record.hosts) == CONFIRMED_FILES
    assert "/0.toml" not in record.confirmed
    assert "/0.toml" not in record.hooks
    again = confirming(record, "/1.toml", Included(project.config.profiles))
    assert len(again.confirmed) == CONFIRMED_FILES
    assert again.confirmed["/1.toml"].keys() == {"product"}


def test_a_partition_that_is_renamed_keeps_its_guards(project: Project) -> None:
    project.change('image = "APP1.bin"', 'guards = ["fits", "reset", "stack", "mcuboot"]')
    project.record = project.confirmed()
    project.change("partitions.app1]", "partitions.application]")
    project.change(', "mcuboot"]', "]")
    for _ in range(2):
        config, (told,) = project.look()
        assert Guard.MCUBOOT in config.profiles["product"].partitions["application"].guards
        assert 'would be without "mcuboot"' in told.lines[0]


@pytest.mark.parametrize(
    "board",
    [
        '[boards.other]\nserial = "A1"\nport = "1-4"\n',
        '[boards.other]\nport = "1-2"\n',
        '[boards.other]\nserial = "A1"\n',
    ],
    ids=["with a port, too", "by its port alone", "by its serial alone"],
)
def test_a_board_is_the_same_where_it_is_told_by_less_or_more(project: Project, board: str) -> None:
    project.main.write_text('include = ["fw/flashdeck.toml"]\n')
    project.write(PROJECT + '[boards.left]\nprofile = "product"\nserial = "A1"\nport = "1-2"\n')
    project.record = project.confirmed()
    text = PROJECT.replace("product", "renamed").replace("protected = true\n", "")
    project.write(f'{text}{board}profile = "renamed"\n')
    config, (told,) = project.look()
    assert config.boards["other"].profile.partitions["bootloader"].protected
    assert told.boards == ("other",)


def test_a_board_that_was_away_for_a_while_keeps_what_protected_it(project: Project) -> None:
    project.main.write_text('include = ["fw/flashdeck.toml"]\n')
    board = '[boards.left]\nprofile = "product"\nserial = "A1"\n'
    project.write(PROJECT + board)
    project.record = project.confirmed()
    project.write("")
    away = record_of(project.config)
    project.record = succeeding(project.record, away, changes(project.record, away))
    project.write((PROJECT + board).replace("product", "renamed").replace("protected = true\n", ""))
    config, (told,) = project.look()
    assert config.boards["left"].profile.partitions["bootloader"].protected
    assert told.boards == ("left",)


@pytest.mark.parametrize(("before", "after"), [("0", '"@Bootloader"'), ('"@Bootloader"', "0")])
def test_an_alternate_setting_that_is_told_otherwise_stays_protected(project: Project, before: str, after: str) -> None:
    project.write(
        '[profiles.product]\ndfu = "0483:df11"\n'
        f'[profiles.product.partitions.boot]\nalt = {before}\nsize = "8K"\nprotected = true\n'
    )
    project.record = project.confirmed()
    project.change(f"alt = {before}", f"alt = {after}")
    project.change("protected = true\n", "")
    config, (told,) = project.look()
    assert config.profiles["product"].partitions["boot"].protected
    assert len(told.lines) == 1
