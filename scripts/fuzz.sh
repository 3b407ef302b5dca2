#!/usr/bin/env bash
# Fuzzes every place that reads untrusted bytes, with libFuzzer and AddressSanitizer: frames of hosts, plan, inventory
# and policy files, answers of surfaces, texts for a terminal, pages and command lines, exported evidence, signatures and
# keys, texts that people sign. Tests/Fuzz has the properties of each.
#
# usage: scripts/fuzz.sh SECONDS [ENTRY...]
#
# SECONDS are divided evenly among the entries. Seeds, and inputs of earlier findings, are in Tests/Fuzz/corpus; new
# inputs of a run stay in .build-fuzz/corpus. Fails on a finding, and prints how to replay it.
set -euo pipefail

input_timeout_seconds=10
memory_mebibytes=2048
input_bytes=16384

if [ $# -lt 1 ]; then
    echo "usage: $0 SECONDS [ENTRY...]" >&2
    exit 64
fi
seconds=$1
shift
entries=("$@")
if [ $# -eq 0 ]; then entries=(frames plan inventory policy terminal answers pages bundles signatures statements); fi
cd "$(dirname "$0")/.."

# Uses lld, because gold fails on the sanitizer's debug information.
build=(swift build --configuration release --product lockflight-fuzz --scratch-path .build-fuzz
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld -Xcc -fsanitize=fuzzer-no-link,address)
LOCKFLIGHT_FUZZ=1 "${build[@]}"
fuzz=$(LOCKFLIGHT_FUZZ=1 "${build[@]}" --show-bin-path)/lockflight-fuzz

findings=.build-fuzz/findings
mkdir -p "$findings"
share=$((seconds / ${#entries[@]}))
failed=0
for entry in "${entries[@]}"; do
    learnt=.build-fuzz/corpus/$entry
    mkdir -p "$learnt"
    seeds=("Tests/Fuzz/corpus/$entry")
    case $entry in plan | inventory | policy) seeds+=(inventory/examples) ;; esac
    log=$findings/$entry.log
    # Swift keeps marks in unused bits of pointers, so LeakSanitizer takes what is reachable for lost.
    if ASAN_OPTIONS=detect_leaks=0 "$fuzz" "--$entry" -max_total_time="$((share > 0 ? share : 1))" -timeout="$input_timeout_seconds" \
        -rss_limit_mb="$memory_mebibytes" -max_len="$input_bytes" -artifact_prefix="$findings/$entry-" \
        -print_final_stats=1 "$learnt" "${seeds[@]}" >"$log" 2>&1; then
        awk -v entry="$entry" '/number_of_executed_units/ { total = $2 } /average_exec_per_sec/ { rate = $2 }
            /peak_rss_mb/ { peak = $2 }
            END { printf "%s: %d inputs, %d a second, peak %d MiB, no finding\n", entry, total, rate, peak }' "$log"
    else
        failed=1
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        echo "error: $entry: $(grep -m 1 -E 'Fatal error|ERROR: ' "$log" || tail -n 1 "$log")" >&2
        echo "  input   ${input:-none was written; see $log}" >&2
        echo "  replay  $fuzz --$entry ${input:-INPUT}" >&2
    fi
done
exit "$failed"
