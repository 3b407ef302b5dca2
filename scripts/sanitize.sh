#!/usr/bin/env bash
# Builds and runs the tests under ThreadSanitizer, then under AddressSanitizer. Fails on a report and on a failed test.
#
# usage: scripts/sanitize.sh [thread|address ...]
#
# Each has a build folder of its own, .build-thread and .build-address. Left out: EndToEndTests, whose commands hold real
# stacks to deadlines of seconds and run the same code as the suites here; SSHTransportTests run alone, for the same
# reason as in `make test`. Leaks are not looked for: an agent ends without tearing its thread pool down; `make soak`
# looks at what grows.
set -euo pipefail

suppressions=Tests/Sanitizers/thread.suppressions

cd "$(dirname "$0")/.."
sanitizers=("$@")
if [ $# -eq 0 ]; then sanitizers=(thread address); fi

# A report in a child process ends it with an exit code of its own; the report itself is looked for in the log as well.
export TSAN_OPTIONS="suppressions=$PWD/$suppressions exitcode=66"
export ASAN_OPTIONS="detect_leaks=0 exitcode=66"

for sanitizer in "${sanitizers[@]}"; do
    flags=(--explicit-target-dependency-import-check error --sanitize "$sanitizer" --scratch-path ".build-$sanitizer")
    swift build "${flags[@]}" --build-tests
    for suites in "--skip EndToEndTests --skip SSHTransportTests" "--filter SSHTransportTests"; do
        log=.build-$sanitizer/report.log
        # shellcheck disable=SC2086 # two words each
        if ! swift test "${flags[@]}" --skip-build $suites >"$log" 2>&1 || grep -aq 'SUMMARY: .*Sanitizer' "$log"; then
            grep -aE '✘|SUMMARY: .*Sanitizer' "$log" | head -40 >&2 || true
            echo "error: $sanitizer: the whole report is in $log" >&2
            exit 1
        fi
        grep -a 'Test run with' "$log" | sed "s/^.*Test run/$sanitizer: Test run/"
    done
done
