"""One command line: its words to a command, what went wrong to an exit code."""

import sys
from collections.abc import Sequence
from contextvars import copy_context

import click

from flashdeck.errors import ErrorKind, ExitCode, FlashdeckError, in_words
from flashdeck.job_state import Failure
from flashdeck.names import near
from flashdeck_tui.cli.output import UnreadError, accept_any_text, put_failed_hosts, report, silence
from flashdeck_tui.cli.remote import failed_hosts
from flashdeck_tui.cli.root import root

_JSON_OPTIONS = frozenset({"--json", "--jsonl"})


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    accept_any_text()
    return copy_context().run(_run, words)


def _run(words: Sequence[str]) -> int:
    try:
        with root.make_context("flashdeck", list(words)) as context:
            code = root.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        silence(sys.stdout)  # click's own help, printed for a reader that has left
        return ExitCode.OTHER
    except UnreadError:
        silence(sys.stdout)
        return ExitCode.INTERRUPTED
    except (FlashdeckError, click.ClickException, click.Abort, OSError, KeyboardInterrupt) as error:
        failure, exit_code = _explained(error)
        report(failure, as_json=_wants_json(words))
        return exit_code
    if failed_hosts.get():
        put_failed_hosts(as_jsonl="--jsonl" in _options(words))
        return ExitCode.SOME_FAILED
    return code if isinstance(code, int) else ExitCode.OK


def _explained(error: BaseException) -> tuple[Failure, ExitCode]:
    """Return the words and the exit code for an error that ends a command."""
    match error:
        case FlashdeckError():
            return Failure(kind=error.kind, message=error.message, hint=error.hint), error.exit_code
        case click.ClickException():
            message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
            return Failure(kind=ErrorKind.BAD_REQUEST, message=message, hint=_usage_hint(error)), ExitCode.USAGE
        case KeyboardInterrupt() | click.Abort():
            return Failure(kind=ErrorKind.INTERRUPTED, message="interrupted"), ExitCode.INTERRUPTED
        case OSError():
            return _explained(in_words(error))
        case _:
            return Failure(kind=ErrorKind.OTHER, message=str(error)), ExitCode.OTHER


def _wants_json(words: Sequence[str]) -> bool:
    """Return whether the caller is a script. Looks at the words: a wrong command line has no parsed options."""
    return not _JSON_OPTIONS.isdisjoint(_options(words))


def _options(words: Sequence[str]) -> Sequence[str]:
    """Return the words before those of another command."""
    return words[: words.index("--")] if "--" in words else words


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and isinstance(error, click.NoSuchOption):
        known = (spelling for parameter in context.command.get_params(context) for spelling in parameter.opts)
        words = {spelling.lstrip("-"): spelling for spelling in known if spelling.startswith("--")}
        if found := near(error.option_name.lstrip("-"), words, alike=0.7):
            return f"did you mean {words[found[0]]}?"
    return f"see '{context.command_path if context else 'flashdeck'} --help'"
