#!/usr/bin/env bash
# Takes one layer of this host back to a release that is still on disk.
# usage: rollback-host-stack.sh --layer LAYER --to VERSION
set -euo pipefail
exec bash "$(dirname "$0")/redeploy-host-stack.sh" "$@"
