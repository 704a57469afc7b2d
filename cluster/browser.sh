#!/usr/bin/env bash
# Prints the path of a Chromium for the tests of pages: PLAYERSCORE_BROWSER, or one that is installed, or
# Debian's, which is installed where that is possible.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

found() { command -v "${PLAYERSCORE_BROWSER:-chromium-headless-shell}" chromium google-chrome chromium-browser | head -n 1; }

[ -n "$(found)" ] || apt_install chromium-headless-shell
found
