#!/bin/sh
# Prints the release that runs here, as the running service itself says it.
set -eu
. ./stack.env
. "$(dirname "$0")/$LAYER.sh"
running_version
