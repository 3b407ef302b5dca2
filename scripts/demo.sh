#!/usr/bin/env bash
# A demo of the main workflow: eight hosts are upgraded layer by layer. A second upgrade, whose approvals are signed, stops at
# its first failed boundary, one host is rolled back and verified. Everything is in one temporary folder, which is removed at
# the end.
#
# usage: scripts/demo.sh LOCKFLIGHT
set -euo pipefail

lockflight=$1
export PATH="$(cd "$(dirname "$lockflight")" && pwd):$PATH"
folder=$(mktemp -d)
export LOCKFLIGHT_LEDGER=$folder/ledger.sqlite
lab=$folder/lab

finish() {
    lockflight lab down --folder "$lab" >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap finish EXIT

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# Shows a command as an operator would type it, then runs it and checks its exit code.
run() {
    local expected=$1 status=0
    shift
    printf '$ lockflight'
    for word in "$@"; do
        case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "${word//$folder/DEMO}" ;; esac
    done
    echo
    lockflight "$@" || status=$?
    if [ "$status" -ne "$expected" ]; then
        echo "demo: exit code $status, expected $expected" >&2
        exit 1
    fi
}

say "Eight real sshd hosts in three layers, each with a stack at 1.4.0"
run 0 lab up --hosts 8 --signed --folder "$lab"

say "The inventory, and the host keys it trusts"
run 0 inventory import "$lab/inventory.yaml"
run 0 inventory trust --known-hosts "$lab/known_hosts"
run 0 inventory check

say "A plan, checked, stored and approved by the owner of each layer"
run 0 plan check "$lab/plan-1.5.0.yaml"
run 0 plan add "$lab/plan-1.5.0.yaml"
for layer in data core edge; do run 0 plan approve lab-1.5.0 --as "$layer-owner"; done

say "1.4.0 -> 1.5.0: layer by layer, batch by batch, to verified"
run 0 rollout start lab-1.5.0 --watch
run 0 rollout finalize

say "From here on approvals are signed: a policy, which two people sign; the layer data takes two of its owners"
people=$lab/people
run 0 policy sign "$lab/policy.yaml" --key "$people/data-owner" --key "$people/deputy"
run 0 policy add "$lab/policy-v1.json"

say "1.5.0 -> 1.6.0, with a release on core-2 that comes up unhealthy"
run 0 plan add "$lab/plan-1.6.0.yaml"
run 0 plan approve lab-1.6.0 --as data-owner --key "$people/data-owner"
run 13 rollout start lab-1.6.0
run 0 plan approve lab-1.6.0 --as deputy --layer data --key "$people/deputy"
for layer in core edge; do
    run 0 plan approve lab-1.6.0 --as "$layer-owner" --layer "$layer" --key "$people/$layer-owner"
done
run 0 lab break core-2 service-unhealthy --to 1.6.0 --folder "$lab"
run 10 rollout start lab-1.6.0 --watch

say "Held. What changed on core-2, and proof that edge was never touched"
run 0 evidence diff --host core-2
run 0 lab status --folder "$lab"

say "core-2 is rolled back, as its owner has signed, and compared with its state before"
run 11 rollback --host core-2 --reason 'its store can not be repaired in place'

say "The status shows a mixed fleet; the record is verified"
run 0 status
run 0 approval list
run 0 ledger verify
run 0 evidence export --output "$folder/evidence.json"
run 0 evidence verify "$folder/evidence.json"
say "Done"
