#!/usr/bin/env bash
# Whether this host may be changed now: room to work, data that only its owner can write, no stray writer.
# usage: verify-runtime-guardrails.sh --layer LAYER
set -euo pipefail
cd "$(dirname "$0")/.."
layer=$2
free=$(df --output=avail -k . | tail -n 1)
[ "$free" -gt 10240 ] || { echo "only $free KiB free in $PWD" >&2; exit 2; }
mode=$(stat -c %a "layers/$layer/data")
case "$mode" in
*[2367]) echo "layers/$layer/data is writable by everyone (mode $mode)" >&2; exit 3 ;;
esac
[ ! -e scripts/.redeploy.swp ] || { echo "someone edits the redeploy script" >&2; exit 4; }
echo "guardrails hold: $free KiB free, data mode $mode"
