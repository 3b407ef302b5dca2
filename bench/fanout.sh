#!/usr/bin/env bash
# Cold fan-out of `true` over SSH on loopback: Lockflight's transport beside a plain C libssh2 program as the floor.
#
#   bench/fanout.sh [HOSTS] [WIDTH] [ROUNDS]      default: 200 32 5
#
# Both connect to the same sshd processes of its own on 127.77.0.0/16, with the same ed25519 key, the same width and
# strict host keys, in alternating rounds. Prints wall time, client CPU per host and peak memory: medians, ranges,
# ratios. Exit status 1 when a goal is missed: wall within 1.2 of the floor, at most 3 ms of client CPU per host.
set -euo pipefail

hosts=${1:-200} width=${2:-32} rounds=${3:-5}
wall_ratio_limit=1.2 cpu_limit_microseconds=3000
addresses_per_server=16 # sshd's MAX_LISTEN_SOCKS
root=$(cd "$(dirname "$0")/.." && pwd)

die() { echo "bench: $*" >&2; exit 2; }

require() { # PROGRAM-OR-FILE PACKAGE
    [ -e "$1" ] || command -v "$1" >/dev/null || missing+=" $2"
}
missing=
require /usr/sbin/sshd openssh-server
require ssh-keygen openssh-client
require gcc gcc
require /usr/include/libssh2.h libssh2-1-dev
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "these packages are missing; install them with: sudo apt-get install$missing"
    apt-get install -qq -y $missing >/dev/null || die "apt-get could not install:$missing"
fi
command -v swift >/dev/null || die "swift is missing; install Swift 6.2 or later from https://www.swift.org/install"
if [ "$(id -u)" = 0 ]; then mkdir -p /run/sshd; fi

work=$(mktemp -d)
servers=()
clean_up() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

echo "building (release)..." >&2
gcc -O2 -Wall -Wextra -o "$work/floor" "$root/bench/floor.c" -lssh2 -lpthread
(cd "$root" && swift build -c release --product lockflight-bench >"$work/build.log" 2>&1) ||
    { tail -30 "$work/build.log" >&2; die "the release build failed"; }
lockflight=$(cd "$root" && swift build -c release --product lockflight-bench --show-bin-path)/lockflight-bench

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
mkdir "$work/home"
chmod 755 "$work" "$work/home"
port=$((20000 + RANDOM % 10000))
for ((first = 0; first < hosts; first += addresses_per_server)); do
    config=$work/config-$first
    cat >"$config" <<CONFIG
Port $port
HostKey $work/host
AuthorizedKeysFile $work/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 2000:30:4000
PrintMotd no
SetEnv HOME=$work/home
CONFIG
    for ((index = first; index < first + addresses_per_server && index < hosts; index++)); do
        address=127.77.$((index / 250)).$((index % 250 + 1))
        echo "ListenAddress $address" >>"$config"
        echo "$address $port" >>"$work/targets"
    done
    /usr/sbin/sshd -D -f "$config" -E "$work/log" &
    servers+=($!)
done
while read -r address port; do
    for ((attempt = 0; ; attempt++)); do
        (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null && break
        [ $attempt -lt 500 ] || { tail "$work/log" >&2; die "sshd does not listen on $address:$port"; }
        sleep 0.02
    done
done <"$work/targets"

measure() { # NAME PROGRAM
    "$2" "$work/targets" "$(id -un)" "$work/key" "$work/host.pub" "$width" >>"$work/result-$1" ||
        die "$1 did not reach every host"
}
measure warm-up "$work/floor"
measure warm-up "$lockflight"
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    if ((round % 2)); then
        measure floor "$work/floor"; measure lockflight "$lockflight"
    else
        measure lockflight "$lockflight"; measure floor "$work/floor"
    fi
done

# column NAME FIELD -> "median lowest highest"
column() {
    cut -d' ' -f"$2" "$work/result-$1" | sort -n | awk '{ v[NR] = $1 } END {
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; print m, v[1], v[NR] }'
}
echo "cold fan-out of \`true\`: $hosts hosts, $width at a time, $rounds rounds, $(nproc) cores, strict host keys"
printf '%-22s %-26s %-26s %s\n' "" "floor (C, libssh2)" "Lockflight" "ratio"
report() { # LABEL FIELD DIVISOR FORMAT
    echo "$(column floor "$2") $(column lockflight "$2")" | awk -v label="$1" -v d="$3" -v f="$4" '{
        printf "%-22s %-26s %-26s %.2f\n", label,
            sprintf(f " (" f "-" f ")", $1 / d, $2 / d, $3 / d), sprintf(f " (" f "-" f ")", $4 / d, $5 / d, $6 / d),
            $4 / $1 }'
}
report "wall, s" 3 1000 %.2f
report "client CPU/host, ms" 4 1000 %.2f
report "peak memory, MB" 5 1024 %.1f

echo "$(column floor 3) $(column lockflight 3) $(column lockflight 4)" |
    awk -v ratio="$wall_ratio_limit" -v cpu="$cpu_limit_microseconds" '{
        good = $4 <= $1 * ratio && $7 <= cpu
        printf "goal (wall within %.1f of the floor, CPU at most %.0f ms per host): %s\n", ratio, cpu / 1000,
            good ? "met" : "MISSED"
        exit !good }'
