#!/usr/bin/env bash
# Builds the agent as one fully static, stripped executable: OUTDIR/lockflight-agent-ARCHITECTURE.
#
# usage: agent/packaging/build-agent.sh OUTDIR
#
# Prints its size and SHA-256. Fails when it is not static, larger than 20 MB, or does not start.
set -euo pipefail

maximum_bytes=20000000

if [ $# -ne 1 ]; then
    echo "usage: $0 OUTDIR" >&2
    exit 64
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

# Its own build folder: other flags, and no waiting for a build of the coordinator.
# For size: -Osize (5 %), folding of identical functions (1 %), no index for unwinding C++ exceptions, which neither
# the Swift runtime nor libdispatch throws (3 %), C by the function, so that what nobody calls is left out.
build=(swift build --configuration release --product lockflight-agent --scratch-path .build-agent
    --static-swift-stdlib -Xswiftc -static-executable
    -Xswiftc -Osize -Xcc -Os -Xcc -ffunction-sections -Xcc -fdata-sections -Xlinker --icf=safe -Xlinker --no-eh-frame-hdr)
"${build[@]}"
cp "$("${build[@]}" --show-bin-path)/lockflight-agent" "$out/lockflight-agent.new"
strip "$out/lockflight-agent.new"

# ldd answers only for executables that need a dynamic loader.
if ldd "$out/lockflight-agent.new" >/dev/null 2>&1; then
    echo "error: the agent is not static: $(ldd "$out/lockflight-agent.new")" >&2
    exit 1
fi
bytes=$(stat --format %s "$out/lockflight-agent.new")
if [ "$bytes" -gt "$maximum_bytes" ]; then
    echo "error: the agent has $bytes bytes, more than $maximum_bytes; look for what pulled Foundation in" >&2
    exit 1
fi
if ! env -i "$out/lockflight-agent.new" version >/dev/null; then
    echo "error: the agent does not start in an empty environment" >&2
    exit 1
fi
mv "$out/lockflight-agent.new" "$out/lockflight-agent-$(uname -m)"
echo "$out/lockflight-agent-$(uname -m): $bytes bytes, sha256:$(sha256sum "$out/lockflight-agent-$(uname -m)" | cut -d ' ' -f 1)"
