#!/bin/sh
# Brings the database to the schema of a release, in one transaction. There is no way back.
# usage: migrate.sh VERSION
set -eu
. ./stack.env
psql -qX -v ON_ERROR_STOP=1 --single-transaction -h "$ADDRESS" -f "releases/$1/schema.sql" orders
ln -sfn "releases/$1" current
