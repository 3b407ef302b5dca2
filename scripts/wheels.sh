#!/usr/bin/env bash
# Fetches from PyPI what the app of the real stack depends on, into .build/wheels, for Debian's own Python.
#
# usage: scripts/wheels.sh
#
# Needs python3-venv and, the first time, the internet. The test that uses it is skipped without it.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.build/wheels
mkdir -p .build
exec 9>.build/wheels.lock
flock 9
if [ -e $folder/complete ]; then exit; fi
rm -rf $folder
timeout 60 /usr/bin/python3 -m venv $folder/venv
timeout 300 $folder/venv/bin/python -m pip download --quiet --disable-pip-version-check --retries 1 --timeout 20 --only-binary :all: --dest $folder \
    psycopg2-binary==2.9.10 redis==5.2.1
$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $folder psycopg2-binary
touch $folder/complete
