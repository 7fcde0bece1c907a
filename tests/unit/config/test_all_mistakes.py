"""All mistakes of a configuration are told at once, each on a line of its own with its place and what to do."""

import copy
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashdeck.config_file import MAX_FILES, load
from flashdeck.errors import MAX_PARTS, ConfigError
from flashdeck.paths import board_file_path, data_file
from flashdeck.toml.reader import MAX_TABLES
from flashdeck.toml.tables import keys_of
from flashdeckd.virtual.bench_file import BenchBoardTable, ContentTable, read_specs

PROFILE = '[profiles.product]\ndfu = "0483:df11"\nflash = "STM32H563RG"\n'
APP1 = '[profiles.product.partitions.app1]\naddress = 0x08020000\nsize = "384K"\n'


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "flashdeck.toml"


def told(main: Path, text: str) -> list[str]:
    """The lines of the error that `text` is refused with, without the file's name, the line and the count."""
    main.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(main)
    lines = caught.value.advice.splitlines()
    if len(lines) > 1:
        assert lines.pop(0) == f"{len(lines)} mistakes"
    return [without_place(main, line) for line in lines]


def without_place(file: Path, line: str) -> str:
    """Return a mistake without its file and line."""
    return re.sub(rf"^{re.escape(str(file))}(:[0-9]+)?: ", "", line)


def test_mistakes_of_every_kind_are_told_together(tmp_path: Path, main: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[boards.three]\nprofile = "gone"\n')
    board_file_path(main).write_text('[boards.four]\nprofile = "product"\nserial = "1"\n')
    lines = told(
        main,
        'include = ["other.toml", "nowhere.toml"]\n[daemon]\nsettle = 50\n'
        + PROFILE
        + 'verfy = "never"\nenter = "detach"\n'
        + APP1
        + "auto = 1\n"
        + '[profiles.product.partitions.low]\naddress = 0x0801f000\nsize = "16K"\n'
        + '[profiles.product.partitions.high]\naddress = 0x080c0000\nsize = "100"\n'
        + '[boards.one]\nprofile = "prodct"\n[boards.two]\nprofile = "product"\nserial = "1"\n',
    )
    assert [line.partition(": ")[0] for line in lines[:6]] == [
        "[daemon] settle",
        "[profiles.product] verfy",
        "[profiles.product.partitions.app1] auto",
        "[profiles.product] enter",
        "[profiles.product.partitions.low] address",
        "[profiles.product.partitions.high] size",
    ]
    rest = "\n".join(lines[6:])
    assert "[profiles.product.partitions.low] address: low (0x0801f000-0x08022fff) overlaps app1" in rest
    assert "include: " in rest
    assert "nowhere.toml: there is no such file" in rest
    assert '[boards.one] profile: there is no profile "prodct": did you mean product?' in rest
    assert f'{other}:2: [boards.three] profile: there is no profile "gone"' in rest
    assert f"{board_file_path(main)}:1: [boards.four] pinned: is missing" in rest
    assert "board four has the same serial as board two" in rest
    assert len(lines) == 12


@pytest.mark.parametrize(
    ("text", "only"),
    [
        # what is only a consequence of another mistake is not told
        (PROFILE.replace("STM32H563RG", "STM32") + APP1, "[profiles.product] flash: the chip table has no"),
        (PROFILE.replace("0483:df11", "x") + '[boards.a]\nprofile = "product"', "[profiles.product] dfu: "),
        (
            PROFILE + APP1.replace('"384K"', '"384G"') + "vectors = 0x80000\n",
            "[profiles.product.partitions.app1] size: ",
        ),
        (PROFILE + APP1.replace("address", "adress"), "[profiles.product.partitions.app1] adress: unknown key"),
        (PROFILE + APP1.replace("size", "sise"), "[profiles.product.partitions.app1] sise: unknown key"),
        (PROFILE + 'enter = "detach"\napp = 1', "[profiles.product] app: 1 is a number"),
        (PROFILE + "[boards.a]\nprofile = 1", "[boards.a] profile: 1 is a number"),
        (PROFILE + APP1 + 'guards = [{ crc = "crc33", at = 4 }]', "[profiles.product.partitions.app1.guards] crc: "),
        ('[profiles.p]\ndfu = "1:2"\n[profiles.p.partitions.a]\nalt = -1\nsize = 1', "[profiles.p.partitions.a] alt: "),
        ("profiles = 3\n", "profiles: 3 is a number"),
    ],
)
def test_a_mistake_is_told_once(main: Path, text: str, only: str) -> None:
    (line,) = told(main, text)
    assert line.startswith(only)


EXAMPLES: dict[tuple[str, ...], dict[str, Any]] = {
    parts: tomllib.loads(data_file(*parts).read_text())
    for parts in (("flashdeck.example.toml",), ("demo", "flashdeck.toml"), ("demo", "bench.toml"))
}


def places(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(cast("dict[str, Any]", value), (*path, key))


@pytest.mark.parametrize(
    ("parts", "place"), [(parts, place) for parts, example in EXAMPLES.items() for place in places(example)]
)
def test_one_wrong_value_is_one_mistake(tmp_path: Path, parts: tuple[str, ...], place: tuple[str, ...]) -> None:
    changed = copy.deepcopy(EXAMPLES[parts])
    table = changed
    for part in place[:-1]:
        table = table[part]
    table[place[-1]] = date(1979, 5, 27)
    file = tmp_path / parts[-1]
    file.write_text(tomli_w.dumps(changed))
    with pytest.raises(ConfigError) as caught:
        (read_specs if file.name == "bench.toml" else load)(file)
    (mistake,) = caught.value.parts
    assert without_place(file, mistake.message) != mistake.message
    (line,) = re.findall(rf"^{re.escape(str(file))}:([0-9]+): ", mistake.message)
    assert file.read_text().splitlines()[int(line) - 1].endswith(f"{place[-1]} = 1979-05-27")
    assert f"{place[-1]}: 1979-05-27 is " in mistake.message


def test_the_items_of_an_array_are_told_apart(main: Path) -> None:
    guards = 'guards = ["stak", "fitz", { crc = "crc32", att = 1 }, { crc = "crc" }]'
    lines = told(main, PROFILE + APP1 + guards)
    places = [line.removeprefix("[profiles.product.partitions.app1").partition(": ")[0] for line in lines]
    assert sorted(places) == [".guards item 3] att", ".guards item 4] crc", "] guards", "] guards"]


def test_a_long_list_is_cut_and_counted(main: Path) -> None:
    main.write_text("\n".join(f"key{number} = 1" for number in range(MAX_PARTS + 5)))
    with pytest.raises(ConfigError) as caught:
        load(main)
    lines = caught.value.message.splitlines()
    assert lines[0] == f"{MAX_PARTS + 5} mistakes"
    assert lines[-1] == "and 5 more"
    assert len(lines) == MAX_PARTS + 2
    assert len(caught.value.parts) == MAX_PARTS


def test_so_many_tables_are_read_and_no_more(main: Path) -> None:
    boards = "".join(f'[boards.b{number}]\nprofile = "product"\n' for number in range(MAX_TABLES))
    main.write_text(PROFILE + boards)
    assert len(load(main).boards) == MAX_TABLES
    (line,) = told(main, PROFILE + boards + '[boards.more]\nprofile = "product"\n')
    assert line == f"boards: has {MAX_TABLES + 1} tables: use at most {MAX_TABLES}"


def test_so_many_files_are_read_and_no_more(tmp_path: Path, main: Path) -> None:
    for number in range(MAX_FILES - 1):
        (tmp_path / f"f{number}.toml").write_text(f'include = ["f{number + 1}.toml"]\n')
    last = tmp_path / f"f{MAX_FILES - 1}.toml"
    last.write_text("")
    main.write_text('include = ["f1.toml"]\n')
    assert len(load(main).files) == MAX_FILES
    (line,) = told(main, 'include = ["f0.toml"]\n')
    assert line.endswith(f"include: more than {MAX_FILES} files")


scalars = st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=12) | st.dates()
anything = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=8), scalars, max_size=3)
BENCH = EXAMPLES["demo", "bench.toml"]


def problem_of(bench: Path) -> ConfigError | None:
    try:
        read_specs(bench)
    except ConfigError as error:
        return error
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    board=st.dictionaries(st.sampled_from([key.name for key in keys_of(BenchBoardTable)]), anything, max_size=4),
    content=st.dictionaries(st.sampled_from([key.name for key in keys_of(ContentTable)]), anything, max_size=3),
)
def test_any_value_in_a_bench_is_a_bench_or_a_clear_error(
    tmp_path: Path, *, board: dict[str, Any], content: dict[str, Any]
) -> None:
    path = tmp_path / "bench.toml"
    contents = {"contents": [content]} if content else {}
    changed = {**BENCH["boards"], "classic": {**BENCH["boards"]["classic"], **contents, **board}}
    path.write_text(tomli_w.dumps({"boards": {**changed, "classic": {**changed["classic"], "flash_file": "f.flash"}}}))
    problem = problem_of(path)
    if problem is not None:
        assert all(line.isprintable() for line in problem.advice.splitlines())
        assert all(part.message.startswith(f"{path}:") for part in problem.parts)


def test_all_mistakes_of_a_bench_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(
        "[boards.one]\nmodel = 'roman'\nport = 0\n"
        "[boards.two]\nmodel = 'classic'\nbank_bug = true\nbad_sectors = [128]\n"
        "contents = [{ address = 0, size = 4 }]\n"
        "[boards.three]\nmodell = 'usbx'\n[boards.four]\nmodel = 'replay'\nflash = 'STM32H563RG'\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_specs(path)
    count, *lines = caught.value.message.splitlines()
    assert count == "8 mistakes"
    assert [without_place(path, line).partition(": ")[0] for line in lines] == [
        "[boards.one] model",
        "[boards.one] port",
        "[boards.two] bank_bug",
        "[boards.two] bad_sectors",
        "[boards.two.contents] size",
        "[boards.three] modell",
        "[boards.four] flash",
        "[boards.four] recording",
    ]


SIZES = st.sampled_from(["8K", "8k", "8 KiB", "8KB", "0x2000", "8192"]) | st.integers(1, 63).map(lambda n: f"{8 * n}k")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=SIZES, bare=st.booleans(), usb_id=st.sampled_from(["0483:DF11", "1209:1", "483:df11"]))
def test_a_size_and_a_usb_id_are_written_alike_everywhere(main: Path, *, size: str, bare: bool, usb_id: str) -> None:
    written = size if bare and size.removeprefix("0x").isdigit() else f'"{size}"'
    main.write_text(
        f'[profiles.p]\ndfu = "{usb_id}"\nflash = "STM32H563RG"\n'
        f"[profiles.p.partitions.a]\naddress = 0x08000000\nsize = {written}\n"
    )
    bench = main.with_name("bench.toml")
    bench.write_text(
        f'[boards.one]\nmodel = "classic"\ndfu = "{usb_id}"\nattach_time = "50ms"\n'
        f"contents = [{{ address = 0x08000000, size = {written} }}]\n"
    )
    profile, (spec,) = load(main).profiles["p"], read_specs(bench)
    assert profile.partitions["a"].span.size == len(spec.contents[0].data)
    assert profile.dfu == spec.dfu
    assert spec.attach_time == 0.05
