#!/bin/sh
# Exits with 0 if the release that is in place is the one that runs.
set -eu
runs=$("$(dirname "$0")/running-version.sh")
[ "$(readlink current)" = "releases/$runs" ] || { echo "$(readlink current) is in place, $runs runs"; exit 1; }
