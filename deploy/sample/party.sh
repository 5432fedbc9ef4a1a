#!/bin/sh
# Runs a sample party, `cpo` or `emsp`, with the token of its invitation; its container has the same name.
set -eu
OCPI_TOKEN=$(cat "${HUB_DATA:?}/$1.token")
export OCPI_TOKEN
exec ocpi-hub simulate "$1" --versions-url "${VERSIONS_URL:?}" --host 0.0.0.0 --name "$1" --port 9000 --json
