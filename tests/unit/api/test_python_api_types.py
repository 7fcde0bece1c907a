"""The Python API as a type checker, and an importer that wants none of it, see it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = """
import asyncio
from pathlib import Path

import flashdeck
from flashdeck.errors import ErrorKind, FlashdeckError, NotDoneError
from flashdeck.model import Snapshot


def program(image: Path) -> int:
    try:
        with flashdeck.connect() as bench, bench.take("left", reason="a test") as lease:
            outcome = bench.flash("app1", image, boards=lease.boards, timeout=60, cancel_on_exit=True)
            print([row.job.version for row in outcome.rows if row.job is not None])
            data: bytes = bench.read("app1", boards="left").data
            print(len(data), [board.name for board in bench.boards()], bench.history("left", since=0.0))
            for change in bench.events():
                print(change.seq if isinstance(change, Snapshot) else change.job)
    except NotDoneError as error:
        print([row.failure for row in error.outcome.rows])
        return error.exit_code
    except FlashdeckError as error:
        print(error.kind is ErrorKind.UNREACHABLE, error.message, error.hint)
        return error.exit_code
    return 0


async def twin() -> flashdeck.Outcome:
    async with flashdeck.connect_async() as bench:
        bench.flash("app1", b"")  # refused: nobody waits for it
        await bench.flash("app1", 5)  # refused: no image
        await bench.flash("app1", b"", patience=3)  # refused: no such option
        await bench.read("app1", cancel_on_exit=False)  # refused: no choice of a read
        return await bench.flash("app1", b"")


print(program(Path("APP1.bin")), asyncio.run(twin()))
"""


def test_a_program_of_a_user_passes_the_strict_checker_and_its_mistakes_do_not(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE)
    settings = {"include": ["sample.py"], "extraPaths": [str(ROOT / "shared")], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    found = json.loads(run.stdout)["generalDiagnostics"]
    planted = {number for number, line in enumerate(SAMPLE.splitlines()) if "# refused" in line}
    assert len(planted) == 4
    assert {each["range"]["start"]["line"] for each in found} == planted, found


def test_the_package_by_itself_imports_next_to_nothing_and_names_what_it_has() -> None:
    code = (
        "import sys; before = set(sys.modules); import flashdeck; "
        "print(*{name.partition('.')[0] for name in sys.modules if name not in before}); "
        "print(all(getattr(flashdeck, name) for name in flashdeck.__all__), hasattr(flashdeck, 'nothing'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    first, second = run.stdout.splitlines()
    assert not {"asyncio", "msgspec", "click", "pytest"} & set(first.split())
    assert second == "True False"
