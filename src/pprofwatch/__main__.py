"""The process of a command: what ``pprofwatch`` and ``python -m pprofwatch`` run."""

import gc
import sys
from typing import NoReturn

#: So many objects that may be part of a cycle are made, beyond those that have gone, before garbage is looked for.
_NEW_OBJECTS = 10_000


def run() -> NoReturn:
    """Run the command line that the process was given, and exit.

    To look for garbage among what has just been loaded, and once more among what goes with the process, would take a
    sixth of the time that a short command takes; to look among what is read as often as Python would, a twentieth of
    what a long one takes. Cycles are few here.
    """
    gc.disable()
    from pprofwatch.cli import main  # noqa: PLC0415  # it is most of what is loaded

    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    gc.enable()
    status = main()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    run()
