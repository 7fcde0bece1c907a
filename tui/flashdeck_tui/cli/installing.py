"""Shows the plan of an installation or carries it out, and says what is left to do."""

import shlex
from collections.abc import Iterator, Sequence

import click

from flashdeck.errors import ExitCode
from flashdeck_tui.cli.answers import InstallationReport
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.installer.carrying_out import carry_out
from flashdeck_tui.installer.steps import Line, Remark, Step, StepResult, StepState, WriteFile, steps_of
from flashdeck_tui.installer.this_machine import ThisMachine, user_environment

_END = "END_OF_FILE"


def carried_out(lines: Sequence[Line], machine: ThisMachine, *, dry_run: bool, as_json: bool) -> ExitCode:
    """Do it all, or with `dry_run` print it; return 12 where only root is missing, 1 where a step failed."""
    steps = steps_of(lines)
    remarks = tuple(line.text for line in lines if isinstance(line, Remark))
    if dry_run:
        results = tuple(StepResult(step=str(step), state=StepState.PLANNED) for step in steps)
    else:

        def tell(step: Step) -> None:
            say(f"{step}{'' if machine.is_root or not step.as_root else ', as root'}")

        environment = user_environment(machine.uid)
        results = tuple(carry_out(steps, is_root=machine.is_root, environment=environment, tell=tell))
    if as_json:
        put_json(InstallationReport(steps=results, remarks=remarks))
    elif dry_run:
        put("\n".join(script_of(lines, machine)) or "# nothing to do")
    else:
        put("\n".join(_told(results, remarks)))
    states = {result.state for result in results if not result.optional}
    if StepState.FAILED in states:
        return ExitCode.OTHER
    return ExitCode.NO_PERMISSION if StepState.NEEDS_ROOT in states else ExitCode.OK


def script_of(lines: Sequence[Line], machine: ThisMachine) -> Iterator[str]:
    """Yield the same as commands for a shell."""
    for line in lines:
        if isinstance(line, Remark):
            yield f"# {line.text}"
            continue
        command = ("" if machine.is_root or not line.as_root else "sudo ") + shlex.join(line.words)
        if isinstance(line, WriteFile):
            yield from here_document(command, line.text)
        else:
            yield command


def here_document(command: str, text: str) -> Iterator[str]:
    """Yield a command and the text that it reads; the text ends with a line feed."""
    end = _END
    while end in text.splitlines():
        end += "_"
    yield f"{command} <<'{end}'"
    yield f"{text}{end}"


def _told(results: Sequence[StepResult], remarks: Sequence[str]) -> Iterator[str]:
    done = sum(result.state is StepState.DONE for result in results)
    if not results:
        yield "nothing to do: all is there"
    elif done:
        yield f"{done} of {len(results)} steps done"
    for result in results:
        if result.state is not StepState.DONE:
            yield f"{result.state}: {result.step}" + (f" ({result.reason})" if result.reason else "")
    yield from remarks
    if any(result.state is StepState.NEEDS_ROOT for result in results):
        path = click.get_current_context().command_path
        yield f"'{path} --dry-run' prints the commands, for somebody who is root"
