"""The recipes beside a real daemon, where their pages do not run them: tools that are not here have stand-ins.

What the pages of `docs/recipes` type is run by `tests/manual`.
"""

import argparse
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft7Validator

from rig import firmware
from standing_bench import StandingBench, standing_bench

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "config/recipes"
FILES = sorted(path.relative_to(RECIPES) for path in RECIPES.rglob("*") if path.is_file() and path.suffix != ".pyc")
IMAGE = firmware("3.0.0")


@pytest.fixture(scope="module")
def standing() -> Iterator[StandingBench]:
    with standing_bench("left", "rack-001") as made:
        yield made


@pytest.fixture
def project(standing: StandingBench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a build, whose `make` and `make check` are content; what runs in it finds the daemon."""
    directory = standing.root / "project"
    standing.file("project/build/APP1.bin", IMAGE)
    (directory / "Makefile").write_text("all check:\n\t@true\n")
    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_page_shows_each_file_as_it_is_shipped(file: Path) -> None:
    page = (ROOT / f"docs/recipes/{file.parent}.md").read_text()
    blocks = re.findall(r"(?ms)^```\w+\n(.*?)^```$", page)
    assert (RECIPES / file).read_text() in blocks


# VS Code


def tasks() -> list[dict[str, Any]]:
    found: dict[str, Any] = json.loads((RECIPES / "vscode/tasks.json").read_text())
    return found["tasks"]


def test_vs_code_takes_the_tasks() -> None:
    judge = Draft7Validator(json.loads((ROOT / "tests/data/vscode-tasks.schema.json").read_text()))
    assert list(judge.iter_errors(json.loads((RECIPES / "vscode/tasks.json").read_text()))) == []
    assert list(judge.iter_errors({"version": "2.0.0", "tasks": [{"label": "a", "type": "process", "comand": "b"}]}))
    labels = [task["label"] for task in tasks()]
    assert len(set(labels)) == len(labels)
    assert [task["dependsOn"] for task in tasks() if task.get("dependsOn", labels[0]) not in labels] == []


def test_the_tasks_do_what_they_say(standing: StandingBench, project: Path) -> None:
    for task in tasks():
        words = [word.replace("${workspaceFolder}", str(project)) for word in (task["command"], *task.get("args", ()))]
        done = standing.run(*words, cwd=project)
        assert done.returncode == 0, (task["label"], done.stderr)
    assert standing.contents("left", len(IMAGE)) == IMAGE


# PlatformIO


@dataclass
class PlatformIO:
    """A stand-in for the construction environment that PlatformIO gives to an extra script."""

    options: Mapping[str, str]
    targets: dict[str, tuple[str, Callable[..., int]]] = field(
        default_factory=dict[str, tuple[str, Callable[..., int]]]
    )

    def GetProjectOption(self, option: str, default: str | None = None) -> str:  # noqa: N802 - as theirs
        assert option.startswith("custom_"), "what PlatformIO does not know has to be called so"
        value = self.options.get(option, default)
        assert value is not None, option
        return value

    def AddCustomTarget(  # noqa: N802, PLR0917 - as theirs
        self,
        name: str,
        dependencies: str,
        actions: Callable[..., int],
        title: str | None = None,
        description: str | None = None,
        always_build: bool = True,  # noqa: FBT002 - as theirs
    ) -> None:
        assert title
        assert description
        assert always_build
        self.targets[name] = dependencies, actions


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"custom_flashdeck_partition": "app1", "custom_flashdeck_boards": "left rack-*"}, 0),
        ({"custom_flashdeck_partition": "app9", "custom_flashdeck_timeout": "60"}, 4),
    ],
)
def test_platformio_has_a_target_that_flashes(project: Path, options: dict[str, str], code: int) -> None:
    env = PlatformIO(options)
    script = RECIPES / "platformio/flashdeck_target.py"
    given = {"Import": ["env"].index, "env": env}
    exec(compile(script.read_text(), script, "exec"), given)  # noqa: S102 - as SCons does
    dependency, action = env.targets["flashdeck"]
    assert dependency == "$BUILD_DIR/${PROGNAME}.bin"
    assert action(source=[project / "build/APP1.bin"], target=["flashdeck"], env=env) == code


# Zephyr's runner


class RunnerConfig(NamedTuple):
    """A stand-in for what Zephyr's build tells a runner."""

    build_dir: str
    elf_file: str | None = None
    hex_file: str | None = None
    bin_file: str | None = None


@dataclass
class RunnerCaps:
    """A stand-in for what a runner can do."""

    commands: set[str]


class ZephyrBinaryRunner:
    """A stand-in with the signatures of `runners.core` in Zephyr 3.x and 4.x."""

    def __init__(self, cfg: RunnerConfig) -> None:
        self.cfg = cfg

    @classmethod
    def add_parser(cls: Any, parser: argparse.ArgumentParser) -> None:
        cls.do_add_parser(parser)

    @classmethod
    def create(cls: Any, cfg: RunnerConfig, args: argparse.Namespace) -> "ZephyrBinaryRunner":
        return cls.do_create(cfg, args)

    def run(self: Any, command: str, **kwargs: object) -> None:
        assert command in self.capabilities().commands
        self.do_run(command, **kwargs)

    @staticmethod
    def require(program: str, path: str | None = None) -> str:
        del path
        return program

    def check_call(self, cmd: list[str], **kwargs: Any) -> None:
        subprocess.check_call(cmd, **kwargs)  # noqa: S603 - the recipe's command


def runner(monkeypatch: pytest.MonkeyPatch) -> Any:
    core = SimpleNamespace(RunnerCaps=RunnerCaps, ZephyrBinaryRunner=ZephyrBinaryRunner)
    monkeypatch.setitem(sys.modules, "runners", ModuleType("runners"))
    monkeypatch.setitem(sys.modules, "runners.core", core)
    return loaded("flashdeck_runner").FlashdeckBinaryRunner


def loaded(name: str) -> Any:
    """A module of the recipe for Zephyr."""
    spec = importlib.util.spec_from_file_location(name, RECIPES / "zephyr" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_zephyrs_runner_flashes_what_was_built(
    standing: StandingBench, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = runner(monkeypatch)
    assert kind.name() == "flashdeck"
    parser = argparse.ArgumentParser()
    kind.add_parser(parser)
    config = RunnerConfig(build_dir=str(project), bin_file=str(project / "build/APP1.bin"))
    args = parser.parse_args(["--partition=app1", "--flashdeck-board=left"])
    kind.create(config, args).run("flash")
    assert standing.contents("left", len(IMAGE)) == IMAGE
    with pytest.raises(subprocess.CalledProcessError) as caught:
        kind.create(config, parser.parse_args(["--partition=app9"])).run("flash")
    assert caught.value.returncode == 4
    only_linked = RunnerConfig(build_dir=str(project), elf_file=str(project / "build/APP1.bin"))
    kind.create(only_linked, args).run("flash")


def test_west_takes_what_the_last_build_wrote(tmp_path: Path) -> None:
    """A signed image of earlier is not what was built."""
    module = loaded("west_flashdeck")
    command = module.FlashdeckCommand()
    for age, name in enumerate(("zephyr.bin", "zephyr.hex", "zephyr.elf")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (2000 - age, 2000 - age))
    assert command.image_in(tmp_path).name == "zephyr.hex"
    (tmp_path / "zephyr.signed.hex").touch()
    for written, taken in ((2000 - module.ONE_BUILD - 1, "zephyr.hex"), (2000 - module.ONE_BUILD, "zephyr.signed.hex")):
        os.utime(tmp_path / "zephyr.signed.hex", (written, written))
        assert command.image_in(tmp_path).name == taken


# Runners of GitHub and GitLab


def scripts() -> dict[str, list[str]]:
    """The commands of both files, as their runners give them to a shell."""
    yaml: Any = importlib.import_module("yaml")  # it comes with west, and without types
    github: Any = yaml.safe_load((RECIPES / "ci-runners/github.yml").read_text())
    gitlab: Any = yaml.safe_load((RECIPES / "ci-runners/gitlab-ci.yml").read_text())
    job = gitlab["on-hardware"]
    return {
        "github": [step["run"] for step in github["jobs"]["test"]["steps"] if "run" in step],
        "gitlab": [*job["script"], *job["after_script"]],
    }


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_the_commands_of_a_ci_run_as_they_stand(standing: StandingBench, project: Path, name: str) -> None:
    for number, script in enumerate(scripts()[name]):
        typed = re.sub(r"\$\{\{ [\w.]+ \}\}", "7", script)
        done = standing.run("bash", "-e", "-c", typed, cwd=project, environment={"CI_JOB_ID": "7"})
        assert done.returncode == 0, (number, done.stderr)
    assert (project / "flashdeck-report.tar.gz").stat().st_size
    (project / "flashdeck-report.tar.gz").unlink()
    assert standing.contents("rack-001", len(IMAGE)) == IMAGE
