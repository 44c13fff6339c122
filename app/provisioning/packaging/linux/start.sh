#!/bin/sh
# Runs everything in the foreground; Ctrl-C ends it whole.
set -eu
cd "$(dirname "$0")"
exec .venv/bin/python -m app.launch
