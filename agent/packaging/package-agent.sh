#!/usr/bin/env bash
# Makes the files that are uploaded to hosts from a built agent: OUTDIR/lockflight-agent-ARCHITECTURE, one fully static,
# stripped executable, and OUTDIR/lockflight-agent-ARCHITECTURE.gz, the same file compressed for the upload.
#
# usage: agent/packaging/package-agent.sh EXECUTABLE OUTDIR
#
# Prints its size and SHA-256. Fails if it is not static, is larger than 22 MB, or does not start.
set -euo pipefail

maximum_bytes=22000000

if [ $# -ne 2 ]; then
    echo "usage: $0 EXECUTABLE OUTDIR" >&2
    exit 64
fi
mkdir -p "$2"
agent=$2/lockflight-agent-$(uname -m)
strip -o "$agent.new" "$1"

# ldd answers only for executables that need a dynamic loader.
if ldd "$agent.new" >/dev/null 2>&1; then
    echo "error: the agent is not static: $(ldd "$agent.new")" >&2
    exit 1
fi
bytes=$(stat --format %s "$agent.new")
if [ "$bytes" -gt "$maximum_bytes" ]; then
    echo "error: the agent has $bytes bytes, more than $maximum_bytes; look for what pulled Foundation in" >&2
    exit 1
fi
if ! env -i "$agent.new" version >/dev/null; then
    echo "error: the agent does not start in an empty environment" >&2
    exit 1
fi
# The compressed file is used only if it is at least as new as the executable.
mv "$agent.new" "$agent"
gzip -9nc "$agent" >"$agent.gz.new"
mv "$agent.gz.new" "$agent.gz"
echo "$agent: $bytes bytes, $(stat --format %s "$agent.gz") packed, sha256:$(sha256sum "$agent" | cut -d ' ' -f 1)"
