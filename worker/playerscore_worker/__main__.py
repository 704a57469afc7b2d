"""`python -m playerscore_worker report|fetch|preview|analyze|alive`; `verbs` says what each does.

The first process of a container does not notice SIGTERM until it has said what to do then, and on a busy node the
libraries take seconds to load. A pod that is told to end in that time would stay for its whole grace, on its CPU.
"""

import os
import signal
import sys
from types import FrameType

EXIT_TOLD = 128 + signal.SIGTERM


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(EXIT_TOLD)  # an exception would be swallowed by a library that is just being imported


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    from playerscore_worker.verbs import main

    sys.exit(main(sys.argv[1:]))
