"""Runs many command lines of the flashdeck of this interpreter, each in a process of its own that begins where its
script's own does: behind the imports that all of them have in common.

Command lines come as JSON on stdin, [[PROGRAM, WORD, …], …], and go as [[code, stdout, stderr], …] on stdout.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback
from importlib import import_module


def main() -> None:
    for name in ("click", "msgspec", "flashdeck_tui.cli.root"):
        import_module(name)
    json.dump([run(line) for line in json.load(sys.stdin)], sys.stdout)


def run(line: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                nothing = os.open(os.devnull, os.O_RDONLY)
                for number, target in enumerate((nothing, out.fileno(), err.fileno())):
                    os.dup2(target, number)
                code = script(line)
            except BaseException:  # noqa: BLE001 - as at the end of any interpreter
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return status, out.read(), err.read()


def script(line: list[str]) -> int:
    sys.argv = line
    try:
        runpy.run_path(line[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return int(end.code or 0)
    return 0


main()
