#!/bin/sh
# Starts the plugin with the first Python that is new enough, from wherever this file or a link to it lies.
set -eu
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
here=$(cd "$(dirname "$self")" && pwd)
for python in ${PLAYERSCORE_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
  if "$python" -I -S -c 'import os, sys; sys.exit(not os.path.isdir(sys.argv[1] + "/%d.%d" % sys.version_info[:2]))' \
    "$here/lib" 2>/dev/null; then
    exec "$python" -I "$here/lib/start.py" "$(basename "$self")" "$@"
  fi
done
echo "kubectl scoring needs Python 3.11 to 3.14 on the PATH, or named in PLAYERSCORE_PYTHON" >&2
exit 1
