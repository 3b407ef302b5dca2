#!/usr/bin/env bash
# All long tests in one command with one summary: 100,000 seeds, all mutants, 20,000 signatures, both sanitizers, every
# fuzzer, every reader of the output, the end-to-end tests on a busy machine, rollouts in a row, the whole bench. It must
# pass before a release.
#
# usage: scripts/nightly.sh      (most of a night on two cores; a phase that fails does not keep the others from running)
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."
. scripts/phases.sh

first_seed=$((16#$(git rev-parse HEAD | cut -c 1-7) + 1))

phase simulate 30 make simulate SEEDS=100000 FROM="$first_seed"
phase mutants 10 make mutants
phase signatures 10 env SIGNATURES=20000 SEED="$first_seed" make test FILTER=OracleTests
phase sanitize 60 make sanitize
phase fuzz 65 make fuzz SECONDS=3600
phase sinks 55 make sinks SECONDS=3000
phase loaded 60 make test-loaded TIMES=3
phase soak 120 make soak ROLLOUTS=200 SEED="$first_seed"
phase bench 80 make bench
end_of_phases
