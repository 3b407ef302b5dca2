#!/bin/sh
# Puts a release in place and starts this host's service from it.
# usage: redeploy.sh VERSION
set -eu
. ./stack.env
. "$(dirname "$0")/$LAYER.sh"
ln -sfn "releases/$1" current
start "$1"
