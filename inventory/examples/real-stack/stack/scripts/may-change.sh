#!/bin/sh
# Refuses a change while somebody works on this host: they write their name into run/hold.
if [ -e run/hold ]; then
    echo "on hold by $(cat run/hold)"
    exit 1
fi
