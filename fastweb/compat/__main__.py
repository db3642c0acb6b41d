"""`python -m fastweb.compat [-m module | -c code | script.py] arguments…`: Python, with compat on."""

from __future__ import annotations

import os
import subprocess
import sys

from fastweb.compat import environment

USAGE = """\
usage: python -m fastweb.compat [-m MODULE | -c CODE | SCRIPT] [ARGUMENT ...]

Runs Python with every `import fastapi...` and `import starlette...` answered by fastweb, in the processes
that it starts, too:

    python -m fastweb.compat -m pytest
    python -m fastweb.compat app.py
"""


def interpreter_options() -> list[str]:
    """What was given to this Python before `-m fastweb.compat`."""
    options: list[str] = []
    for word in sys.orig_argv[1:]:
        if word == "-m" or word.endswith("fastweb.compat"):
            break
        options.append(word)
    return options


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        print(USAGE, end="")
        return
    if sys.flags.ignore_environment or sys.flags.no_site:
        sys.exit("fastweb.compat: leave out -E, -I and -S: they hide what switches it on")
    # A new interpreter: nothing of the genuine packages was imported in it, and `__main__` is the app's own.
    command = [sys.executable, *interpreter_options(), *arguments]
    os.environ.update(environment())
    if os.name == "nt":  # There, exec starts another process and does not wait for it.
        sys.exit(subprocess.run(command, check=False).returncode)
    # What this interpreter has printed would be lost with it.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
