"""What the kubelet asks a working container: whether anything has moved lately.

In the shell and not in Python, whose start costs a second of CPU and, in a saturated container, half a minute. It
looks at the files by which the worker tells what it does, and says what the worker's own `alive` says. Whatever
cannot be told is taken for alive: an image without `find`, a file that is being replaced.
"""

from typing import Final

STALL_SECONDS: Final = 600
ALIVE: Final = f"""\
cd "${{PLAYERSCORE_WORK:-/work}}" || exit 0
[ -e out/done.json ] && exit 0
set --
for file in fetched.json out/progress.json out/result.json; do
  [ -e "$file" ] && set -- "$@" "$file"
done
[ $# = 0 ] && exit 0
seconds="${{PLAYERSCORE_STALL_SECONDS:-{STALL_SECONDS}}}"
moved=$(find "$@" -newermt "-$seconds seconds" 2>&1) || exit 0
[ -n "$moved" ] && exit 0
printf '{{"code":"WORKER_FAILED","message":"No progress for %s s: the worker hangs"}}' "$seconds" \\
  >"${{PLAYERSCORE_TERMINATION_LOG:-/dev/termination-log}}"
exit 1
"""
COMMAND: Final = ["sh", "-c", ALIVE]
