#!/bin/sh
# Installs into this folder: a virtual environment, the libraries, a settings file with secrets of its own.
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "需要 Python 3.11 或更新的版本；用 PYTHON=/路径/python3 指定")'
test -x .venv/bin/python || "$PYTHON" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
.venv/bin/python first_run.py .env
echo "安装完成。检查 .env，然后运行 ./start.sh"
