#!/usr/bin/env bash
# Generates the TypeScript client from clients/openapi.json and compiles it, with the flow as its example.
set -euo pipefail
cd "$(dirname "$0")/typescript"

if ! command -v npm >/dev/null || ! node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' 2>/dev/null; then
  echo "node 18 or newer with npm is missing: apt-get install nodejs npm" >&2
  exit 1
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --silent
  touch node_modules/.package-lock.json
fi
npm run --silent build
