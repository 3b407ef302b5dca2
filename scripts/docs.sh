#!/usr/bin/env bash
# Builds the developer documentation from the comments in the code, in .build/docs. Fails on a warning.
#
# usage: scripts/docs.sh
set -euo pipefail
cd "$(dirname "$0")/.."

modules=$(ls docs/Lockflight.docc | sed -n 's/\.md$//p' | grep -v '^Lockflight$')
# shellcheck disable=SC2086 # several words
swift package ${SWIFT_BUILD_FLAGS-} dump-symbol-graph --minimum-access-level package --skip-synthesized-members >/dev/null
found=$(dirname "$(readlink -f .build/debug)")/symbolgraph
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT
for module in $modules; do cp "$found/$module"*.symbols.json "$graphs"; done
python3 - "$graphs" <<'END'
"""Fails if a type has no doc comment."""
import json, pathlib, sys

kinds = {"swift.struct", "swift.enum", "swift.class", "swift.protocol", "swift.actor"}
bare = [
    f"{graph['module']['name']}.{'.'.join(symbol['pathComponents'])}"
    for file in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    for graph in [json.loads(file.read_text())]
    for symbol in graph["symbols"]
    if symbol["kind"]["identifier"] in kinds and "docComment" not in symbol
]
sys.exit("without a comment: " + ", ".join(bare) if bare else 0)
END
rm -rf .build/docs
docc convert docs/Lockflight.docc --additional-symbol-graph-dir "$graphs" --output-path .build/docs \
    --fallback-display-name Lockflight --fallback-bundle-identifier lockflight --transform-for-static-hosting \
    --warnings-as-errors
echo "made .build/docs; to read it: python3 -m http.server --bind 127.0.0.1 -d .build/docs, then /documentation/lockflight"
