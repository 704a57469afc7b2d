#!/bin/sh
# Runs a command of the build that speaks to package registries; with `ca-bundle.pem` in the context, by that.
set -eu
bundle=/src/ca-bundle.pem
if [ -s "$bundle" ]; then
  export SSL_CERT_FILE="$bundle" PIP_CERT="$bundle" REQUESTS_CA_BUNDLE="$bundle"
fi
exec "$@"
