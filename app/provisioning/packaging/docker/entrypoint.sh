#!/bin/sh
# The settings file with the secrets lies in the volume, so that it outlives the container.
set -eu
python first_run.py instance/.env
set -a
. ./instance/.env
set +a
exec python -m app.launch
