"""Carries out the steps of an installation, those for root through `sudo`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from flashdeck.text import clean
from flashdeck_tui.installer.steps import FILE_MODE, RemoveFile, Run, Step, StepResult, StepState, WriteFile

STEP_SECONDS = 120.0
"""Longest time of one step; that of a password for `sudo` counts."""
_ASKING: Final = ("sudo",)
_SILENT: Final = ("sudo", "-n")


def carry_out(
    steps: Sequence[Step], *, is_root: bool, environment: Mapping[str, str], tell: Callable[[Step], object]
) -> Iterator[StepResult]:
    """Carry out the steps one by one, and yield what became of each.

    After one that failed, and may not, no later one of its kind (for root, or not) is tried. Steps for root are left
    where we are not root and nobody can be asked for a password. `tell` hears of each before.
    """
    prefix = () if is_root else _way_to_root(steps)
    failed: set[bool] = set()
    for step in steps:
        optional = isinstance(step, Run) and step.may_fail
        if step.as_root and prefix is None:
            yield StepResult(step=str(step), state=StepState.NEEDS_ROOT, optional=optional)
            continue
        if step.as_root in failed:
            yield StepResult(step=str(step), state=StepState.NOT_TRIED, optional=optional)
            continue
        tell(step)
        trouble = _do(step, prefix if step.as_root and prefix else (), environment)
        if trouble and not optional:
            failed.add(step.as_root)
        state = StepState.FAILED if trouble else StepState.DONE
        yield StepResult(step=str(step), state=state, reason=trouble, optional=optional)


def _way_to_root(steps: Sequence[Step]) -> tuple[str, ...] | None:
    if not any(step.as_root for step in steps) or shutil.which("sudo") is None:
        return None
    if sys.stdin.isatty() and sys.stderr.isatty():
        return _ASKING
    return _SILENT if not _run((*_SILENT, "true"), os.environ, "") else None


def _do(step: Step, prefix: tuple[str, ...], environment: Mapping[str, str]) -> str:
    if prefix or isinstance(step, Run):
        text = step.text if isinstance(step, WriteFile) else ""
        return _run((*prefix, *step.words), environment, text)
    try:
        if isinstance(step, RemoveFile):
            step.path.unlink(missing_ok=True)
        else:
            _write(step.path, step.text)
    except OSError as error:
        return clean(f"{error.strerror}: {error.filename}")
    return ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(int(FILE_MODE, 8))
    new.replace(path)


def _run(words: Sequence[str], environment: Mapping[str, str], text: str) -> str:
    try:
        run = subprocess.run(  # noqa: S603 -- words of our own, and no shell
            words,
            env=dict(environment),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=STEP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {STEP_SECONDS:g} s"
    except OSError as error:
        return clean(f"{words[0]}: {error.strerror}")
    if run.returncode == 0:
        return ""
    last = [line for line in run.stdout.splitlines() if line.strip()][-1:]
    return clean(" ".join(last)) or f"it ended with {run.returncode}"
