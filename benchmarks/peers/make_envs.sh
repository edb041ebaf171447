#!/usr/bin/env bash
# Creates one environment per peer in the folder given (.bench by default); an environment that is whole is kept.
# The interpreter is that of the variable PYTHON, python3.11 by default: GPax's pins need 3.11, 3.12 or 3.13.
set -euo pipefail

pins="$(cd "$(dirname "$0")" && pwd)"
folder="${1:-.bench}"
python="${PYTHON:-python3.11}"

for peer in gpax atomai; do
    environment="$folder/$peer"
    if cmp -s "$pins/$peer.txt" "$environment/installed.txt" && "$environment/bin/python" -c '' 2>/dev/null; then
        continue
    fi
    echo "installing the peer $peer into $environment, once; this takes minutes"
    rm -rf "$environment"
    "$python" -m venv "$environment"
    # torch first and by itself, where a peer needs it: see the Makefile.
    if torch="$(grep '^torch==' "$pins/$peer.txt")"; then
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$torch"
    fi
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$pins/$peer.txt"
    cp "$pins/$peer.txt" "$environment/installed.txt"
done
