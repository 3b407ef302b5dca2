#!/usr/bin/env bash
# Prints the folder of ansible-inventory, for tests of imports: Ansible is installed from PyPI into a folder of its own first,
# which nothing else uses.
#
# usage: scripts/ansible.sh
#
# Without a way to PyPI it fails within a minute, and says why; the tests are skipped then.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted='ansible-core==2.19.14'
folder="$PWD/.build/ansible"
mkdir -p .build
exec 9>.build/ansible.lock
flock 9
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    {
        timeout 60 python3 -m venv "$folder"
        timeout 300 "$folder/bin/pip" install --quiet --retries 1 --timeout 20 "$wanted"
        "$folder/bin/ansible-inventory" --version
    } >&2
    touch "$folder/complete"
fi
echo "$folder/bin"
