#!/usr/bin/env bash
# Builds and runs the tests under ThreadSanitizer, then under AddressSanitizer. Fails on a report and on a failed test.
#
# usage: scripts/sanitize.sh [thread|address ...]
#
# Each has its own build folder, .build-thread and .build-address. Left out: EndToEndTests, which have deadlines of
# seconds and run the same code as the suites here. SSHTransportTests run alone, for the same reason as in `make test`.
# Leak detection is off, because an agent exits without tearing down its thread pool; `make soak` checks for growth.
set -euo pipefail

suppressions=Tests/Sanitizers/thread.suppressions

cd "$(dirname "$0")/.."
sanitizers=("$@")
if [ $# -eq 0 ]; then sanitizers=(thread address); fi

# A report in a child process ends it with a special exit code; the log is also searched for the report.
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
