#!/usr/bin/env bash
# A systemd of a test's own, as the first process of namespaces of its own: it sees this machine's files, and none of its
# processes, control groups or units.
#
# usage: boot.sh FOLDER      as root, with cgroup2, systemd, dbus-daemon; FOLDER is empty, and is written to.
# Prints the process to enter with nsenter(1) once systemd answers there; ends when its standard input does.
set -euo pipefail
folder=$1
group=lockflight-test-$$

if [ "${2:-}" != inside ]; then
    for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ -e "$hierarchy/cgroup.controllers" ] && break
    done
    mkdir "$hierarchy/$group"
    end() {
        kill -KILL "$child" 2>/dev/null || true
        wait 2>/dev/null || true
        # A group can go once its last process is reaped, the innermost first.
        for _ in {1..100}; do
            find "$hierarchy/$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
            [ -e "$hierarchy/$group" ] || return 0
            sleep 0.05
        done
    }
    trap end EXIT
    trap 'exit 143' TERM INT HUP
    # The new control group namespace begins where its first process is.
    bash -c 'echo $$ >"$1/cgroup.procs" && exec unshare --cgroup --fork --pid --kill-child --mount --uts --ipc "$2" "$3" inside' \
        - "$hierarchy/$group" "$0" "$folder" &
    child=$!
    for _ in {1..200}; do
        init=$(pgrep --parent "$child") && [ -S "/proc/$init/root/run/dbus/system_bus_socket" ] && break
        sleep 0.05
    done
    echo "$init"
    # The parent holds the other end of the standard input: when it is gone, so are we.
    cat >/dev/null
    exit 0
fi

mount --make-rprivate /
mount -t proc proc /proc
mkdir "$folder/cgroup" "$folder/units"
mount -t cgroup2 none "$folder/cgroup"
umount --recursive /sys/fs/cgroup
mount --move "$folder/cgroup" /sys/fs/cgroup
mount -t tmpfs none /run
mkdir -p /run/dbus
# Only these units: what this machine would start at boot stays away.
cat >"$folder/units/test.target" <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=dbus.socket
UNIT
# What ordinary units come after.
for target in sysinit basic shutdown; do
    printf '[Unit]\nDefaultDependencies=no\n' >"$folder/units/$target.target"
done
cat >"$folder/units/dbus.socket" <<'UNIT'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
UNIT
cat >"$folder/units/dbus.service" <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
UNIT
exec env -i PATH="$PATH" container=lockflight SYSTEMD_UNIT_PATH="$folder/units" SYSTEMD_GENERATOR_PATH="$folder/none" \
    /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no </dev/null
