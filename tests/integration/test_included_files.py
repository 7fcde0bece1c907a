"""An included file of a project does not widen what may be done before somebody has confirmed it: a real daemon."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import WaitFor, Waiting
from flashdeck.model import Snapshot
from rig import CONFIG, Rig, board, firmware, running

pytestmark = pytest.mark.long

LEFT = '[boards.left]\nprofile = "product"\nserial = "A1"\n'


def write(root: Path, project: str) -> None:
    """A main file with the board, and an included one with the profile."""
    (root / "fw").mkdir(exist_ok=True)
    (root / "config.toml").write_text('include = ["fw/flashdeck.toml"]\n' + LEFT)
    (root / "fw" / "flashdeck.toml").write_text(project)
    (root / "bench.toml").write_text(board("left", 1, serial="A1"))


PROJECT = (
    CONFIG.format(settle="50ms", profile="", boards="", enter='"detach"', app="0483:5740")
    .replace('[daemon]\nsettle = "50ms"\n', "")
    .replace("build/", "../build/")
)


def change(rig: Rig, old: str, new: str) -> None:
    path = rig.root / "fw" / "flashdeck.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def status(rig: Rig) -> Snapshot:
    return await rig.client.call(api.GetStatus())


def troubles(snapshot: Snapshot) -> list[str]:
    return [each.line for each in snapshot.daemon.troubles if each.part.startswith("included")]


async def test_what_is_included_at_the_first_start_counts_and_is_named_in_the_log(root: Path) -> None:
    guarded = PROJECT.replace('image = "../build/APP1.bin"', 'image = "../build/APP1.bin"\nguards = ["fits"]')
    write(root, '[hooks]\ndone = ["/bin/true"]\n' + guarded)
    async with running(root) as rig:
        lines = [line.text for line in (await rig.client.call(api.GetLogs(limit=500))).lines]
        (line,) = [line for line in lines if "counts as confirmed" in line]
        assert str(root / "fw" / "flashdeck.toml") in line
        assert 'guards without "reset", "stack"' in line
        assert '[hooks] done = ["/bin/true"]' in line
        assert troubles(await status(rig)) == []
        await rig.stop()
        await rig.restart()
        lines = [line.text for line in (await rig.client.call(api.GetLogs(limit=500))).lines]
        assert [line for line in lines if "counts as confirmed" in line] == [], "it was the first start only"


async def test_a_command_is_run_only_once_a_person_has_confirmed_it(root: Path) -> None:
    write(root, PROJECT)
    ran = root / "ran"
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await rig.wait()  # its application is running
        change(rig, 'enter = "detach"', f'enter = {{ command = ["/usr/bin/touch", "{ran}"] }}')
        reply = await rig.client.call(api.ReloadConfig())
        (told,) = reply.unconfirmed
        assert told.boards == ("left",)
        assert str(ran) in told.lines[0]
        (trouble,) = [each for each in (await status(rig)).daemon.troubles if each.part.startswith("included")]
        assert trouble.boards == ("left",)
        assert f"flashdeck config trust {root}/fw/flashdeck.toml" in trouble.hint
        rig.build(firmware("1.0.1"))
        await rig.until(lambda seen: any(isinstance(job.status, Waiting) for job in seen.jobs))
        job = (await rig.jobs())[-1]
        assert isinstance(job.status, Waiting)
        assert job.status.for_ is WaitFor.HAND
        assert not ran.exists()
        confirmed = await rig.client.call(api.TrustConfig(file=str(root / "fw" / "flashdeck.toml")))
        assert str(ran) in confirmed.lines[0]
        await rig.until(lambda _: ran.exists())
        assert troubles(await status(rig)) == []
        await rig.stop()
        await rig.restart()
        assert troubles(await status(rig)) == [], "that is remembered"


async def test_protected_that_is_gone_in_an_included_file_is_kept_until_it_is_confirmed(root: Path) -> None:
    write(root, PROJECT)
    async with running(root) as rig:
        change(rig, "protected = true\n", "")
        await rig.client.call(api.ReloadConfig())
        with pytest.raises(RemoteError) as refused:
            await rig.client.call(api.Flash(partition="bootloader"))
        assert refused.value.kind is ErrorKind.PROTECTED
        seen = await status(rig)
        assert seen.boards[0].hold is None, "nothing is different for the board yet"
        assert "protected" in troubles(seen)[0]
        await rig.stop()
        await rig.restart()
        with pytest.raises(RemoteError) as refused:
            await rig.client.call(api.Flash(partition="bootloader"))
        assert refused.value.kind is ErrorKind.PROTECTED
        await rig.client.call(api.TrustConfig(file=str(root / "fw" / "flashdeck.toml")))
        seen = await status(rig)
        assert seen.boards[0].hold is not None
        assert "not protected any more" in seen.boards[0].hold.reason


async def test_protected_that_is_gone_in_the_main_file_counts_and_holds_the_board(root: Path) -> None:
    write(root, PROJECT)
    main = "include = []\n" + LEFT + PROJECT.replace("../build/", "build/")
    (root / "config.toml").write_text(main)
    async with running(root) as rig:
        (root / "config.toml").write_text(main.replace("protected = true\n", ""))
        reply = await rig.client.call(api.ReloadConfig())
        assert reply.unconfirmed == ()
        seen = await status(rig)
        assert seen.boards[0].hold is not None
        assert not seen.boards[0].partitions[0].protected


async def test_a_guard_that_an_included_file_leaves_out_still_refuses(root: Path) -> None:
    write(root, PROJECT)
    async with running(root) as rig:
        change(rig, 'image = "../build/APP1.bin"', 'image = "../build/APP1.bin"\nguards = ["fits"]')
        await rig.client.call(api.ReloadConfig())
        rig.build(firmware("1.0.0", base=0x08080000))
        seen = await rig.until(lambda seen: bool(seen.artifacts))
        assert "linked for" in seen.artifacts[0].reason
        await rig.client.call(api.TrustConfig(file=str(root / "fw" / "flashdeck.toml")))
        await rig.until(lambda seen: seen.artifacts[0].disposition == "offered")


@pytest.mark.parametrize(("file", "message"), [("config.toml", "is the main file"), ("other.toml", "is not included")])
async def test_only_an_included_file_can_be_confirmed(root: Path, file: str, message: str) -> None:
    write(root, PROJECT)
    async with running(root) as rig:
        with pytest.raises(RemoteError, match=message) as refused:
            await rig.client.call(api.TrustConfig(file=str(root / file)))
        assert refused.value.kind is ErrorKind.BAD_REQUEST


async def test_a_file_that_comes_with_a_reload_is_offered_and_a_guard_of_it_is_on(root: Path) -> None:
    write(root, PROJECT)
    (root / "config.toml").write_text("include = []\n")
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        (root / "config.toml").write_text('include = ["fw/flashdeck.toml"]\n' + LEFT)
        await rig.client.call(api.ReloadConfig())
        seen = await rig.until(lambda seen: bool(seen.artifacts))
        assert seen.artifacts[0].disposition == "offered"
        assert await rig.jobs() == []
        rig.build(firmware("1.0.1"))
        await rig.wait(data=firmware("1.0.1"))


async def test_a_hook_of_an_included_file_runs_only_once_a_person_has_confirmed_it(root: Path) -> None:
    write(root, PROJECT)

    def hook(name: str) -> str:
        return f'[hooks]\ndone = ["/usr/bin/touch", "{root}/{name}"]\n'

    async with running(root) as rig:
        (root / "fw" / "flashdeck.toml").write_text(hook("first") + PROJECT)
        (told,) = (await rig.client.call(api.ReloadConfig())).unconfirmed
        assert told.boards == ("left",)
        assert told.lines[0].endswith("is not confirmed; until then none is run")
        rig.build(firmware("1.0.0"))
        await rig.wait()
        await rig.client.call(api.TrustConfig(file=str(root / "fw" / "flashdeck.toml")))
        assert troubles(await status(rig)) == []
        rig.build(firmware("1.0.1"))
        await rig.wait(data=firmware("1.0.1"))
        await rig.until(lambda seen: seen.jobs[-1].hook is not None)
        change(rig, hook("first"), hook("second"))
        await rig.client.call(api.ReloadConfig())
        (line,) = troubles(await status(rig))
        assert line.count("first") == 1, "the one that was confirmed stands"
        (root / "first").unlink()
        rig.build(firmware("1.0.2"))
        await rig.wait(data=firmware("1.0.2"))
        await rig.until(lambda seen: seen.jobs[-1].hook is not None)
        assert (root / "first").exists()
        change(rig, hook("second"), "")
        await rig.client.call(api.ReloadConfig())
        assert troubles(await status(rig)) == [], "one that is taken away is gone at once"
        rig.build(firmware("1.0.3"))
        await rig.wait(data=firmware("1.0.3"))
        rig.build(firmware("1.0.4"))
        await rig.wait(data=firmware("1.0.4"))
        assert [job.hook is not None for job in await rig.jobs()] == [False, True, True, False, False]
        assert not (root / "second").exists()
