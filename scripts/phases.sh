# The phases of a long run, each with its time and its share of a budget. Sourced by .ci/run and scripts/nightly.sh in
# the root of the repository, with set -euo pipefail.

phases_failed=0
phases_summary=()
phases_output=$(mktemp)
trap 'rm -f "$phases_output"' EXIT

# Runs a command as a phase, with the minutes that it may take on two idle cores; warns if it takes more than twice as long.
phase() { # NAME MINUTES COMMAND...
    local name=$1 budget=$(($2 * 60)) started=$SECONDS status=0 seconds verdict
    shift 2
    phase_now=$name
    echo "== $name"
    "$@" 2>&1 | tee "$phases_output" || status=$?
    seconds=$((SECONDS - started))
    verdict=$(printf '%-12s %5d s of %4d s' "$name" "$seconds" "$budget")
    if [ "$status" -ne 0 ]; then
        verdict="$verdict  FAILED"
        phases_failed=1
        # Repeated here, so that it is at the end of a long log.
        grep -a '✘' "$phases_output" | cut -c 1-400 | tail -n 40 || true
    elif [ "$seconds" -gt $((2 * budget)) ]; then
        verdict="$verdict  WARNING: more than twice its share"
    fi
    phases_summary+=("$verdict")
    echo "== $verdict"
}

# Prints every phase, and exits with 1 if one failed.
end_of_phases() {
    local budget
    budget=$(printf '%s\n' "${phases_summary[@]}" | awk '{ sum += $5 } END { print sum }')
    echo "== all phases: $SECONDS s of $budget s"
    printf '   %s\n' "${phases_summary[@]}"
    exit "$phases_failed"
}
