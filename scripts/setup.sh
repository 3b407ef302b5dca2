#!/usr/bin/env bash
# Checks that this machine has everything that Lockflight's build, tests, lab and bench need.
#
# usage: scripts/setup.sh
#
# As root on a machine with apt it installs what is missing. As another user it changes nothing: it lists what an
# administrator should install and exits with 1. Prints one line if nothing is missing.
set -euo pipefail

swift_minimum=6.2
apt_attempts=3
# Each line: a command, or a file (wildcards allowed), and the Debian package that provides it.
needs='
/usr/include/libssh2.h        libssh2-1-dev
/usr/include/sqlite3.h        libsqlite3-dev
/usr/include/stdio.h          libc6-dev
/usr/lib/gcc/*/*/libstdc++.a  g++
/usr/sbin/sshd                openssh-server
openssl                       openssl
/usr/share/zoneinfo/UTC       tzdata
cmp                           diffutils
curl                          curl
file                          file
flock                         util-linux
gcc                           gcc
git                           git
make                          make
pkg-config                    pkg-config
ps                            procps
python3                       python3
ssh                           openssh-client
ssh-keygen                    openssh-client
strip                         binutils
'

die() {
    echo "setup: $*" >&2
    exit 1
}

# Prints the packages whose command or file is missing, each once.
missing_packages() {
    local witness package
    while read -r witness package; do
        [ -n "$witness" ] || continue
        case $witness in
        /*) compgen -G "$witness" >/dev/null && continue ;;
        *) command -v "$witness" >/dev/null && continue ;;
        esac
        echo "$package"
    done <<<"$needs" | sort -u | tr '\n' ' ' | sed 's/ $//'
}

install() { # PACKAGES
    command -v apt-get >/dev/null ||
        die "this machine has no apt-get; install these Debian packages, or their equivalents: $1"
    [ "$(id -u)" = 0 ] || die "packages are missing; ask an administrator to run: apt-get install $1"
    echo "setup: installing $1" >&2
    local attempt log
    log=$(mktemp)
    for ((attempt = 1; attempt <= apt_attempts; attempt++)); do
        # shellcheck disable=SC2086 # a list of package names
        if apt-get update -qq &>"$log" </dev/null &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $1 &>>"$log" </dev/null; then
            rm -f "$log"
            return
        fi
        echo "setup: attempt $attempt of $apt_attempts failed" >&2
    done
    tail -20 "$log" >&2
    die "apt-get could not install: $1 (its whole output: $log)"
}

packages=$(missing_packages)
if [ -n "$packages" ]; then
    install "$packages"
    packages=$(missing_packages)
    [ -z "$packages" ] || die "still missing after apt-get: $packages"
fi
# sshd as root refuses to start without its privilege separation folder, which only its service unit creates.
if [ "$(id -u)" = 0 ]; then mkdir -p -m 0755 /run/sshd; fi

command -v swift >/dev/null ||
    die "there is no swift in PATH; install Swift $swift_minimum or later: https://www.swift.org/install/linux"
swift_version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -1)
printf '%s\n%s\n' "$swift_minimum" "$swift_version" | sort --check=quiet --version-sort ||
    die "Swift $swift_version is too old; install $swift_minimum or later: https://www.swift.org/install/linux"
echo "setup: everything is here (Swift $swift_version)"
