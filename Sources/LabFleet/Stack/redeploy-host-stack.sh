#!/usr/bin/env bash
# Moves one layer of this host to a release: switches the active release, ends the old processes, starts the new ones.
# usage: redeploy-host-stack.sh --layer LAYER --to VERSION
set -euo pipefail
cd "$(dirname "$0")/.."
layer= version=
while [ $# -gt 0 ]; do
    case "$1" in
    --layer) layer=$2 ;;
    --to) version=$2 ;;
    *) echo "unknown argument $1" >&2; exit 64 ;;
    esac
    shift 2
done
release=releases/$version
place=$PWD/layers/$layer
[ -d "$place" ] || { echo "this host has no layer $layer" >&2; exit 65; }
[ -f "$release/manifest.sha256" ] || { echo "release $version is not on this host" >&2; exit 66; }
. "$place/env"

exec 9>"$place/run/deploy.lock"
flock 9

# Ends a process that a pid file names, and waits until it is gone (a zombie is gone).
stop() {
    local file=$1 pid attempt
    [ -s "$file" ] || return 0
    pid=$(<"$file")
    kill "$pid" 2>/dev/null || { rm -f "$file"; return 0; }
    for ((attempt = 0; attempt < 100; attempt++)); do
        if ! kill -0 "$pid" 2>/dev/null || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; then
            rm -f "$file"
            return 0
        fi
        sleep 0.05
    done
    echo "process $pid of $layer does not end" >&2
    exit 70
}

start() {
    local file=$1
    shift
    setsid "$@" </dev/null >>"$place/run/service.log" 2>&1 9>&- &
    echo $! >"$file"
}

echo "$layer: moving to $version"
stop "$place/run/prober.pid"
stop "$place/run/service.pid"
ln -sfn "../../$release" "$place/current.new"
mv -T "$place/current.new" "$place/current"
echo "RELEASE=$version" >"$place/active.env"

# From the release itself, not through the link: the process keeps showing where it came from.
start "$place/run/service.pid" python3 -IS "$PWD/$release/service.py" --layer "$layer" --address "$ADDRESS" --port "$PORT" \
    --data "$place/data" --run "$place/run"
for ((attempt = 1; attempt <= 200; attempt++)); do
    # Starting curl takes its time, so it is left until something listens.
    if (: <"/dev/tcp/$ADDRESS/$PORT") 2>/dev/null &&
        curl -fsS --max-time 2 -o /dev/null "http://$ADDRESS:$PORT/health" 2>/dev/null; then
        rm -f "$place/run/readiness.json"
        start "$place/run/prober.pid" python3 -IS "$PWD/$release/prober.py" "http://$ADDRESS:$PORT" "$place/run/readiness.json"
        for ((reading = 0; reading < 200; reading++)); do
            if [ -e "$place/run/readiness.json" ]; then
                echo "$layer: $version answers on $ADDRESS:$PORT"
                exit 0
            fi
            sleep 0.05
        done
        echo "$layer: the prober of $version writes no readiness" >&2
        exit 1
    fi
    # A process that is gone will not answer; one that only starts slowly is waited for.
    if [ "$attempt" -gt 20 ] && ! kill -0 "$(<"$place/run/service.pid")" 2>/dev/null; then break; fi
    sleep 0.05
done
echo "$layer: $version does not answer on $ADDRESS:$PORT" >&2
tail -n 3 "$place/run/service.log" >&2
exit 1
