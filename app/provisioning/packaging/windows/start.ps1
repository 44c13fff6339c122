# Migrates the database, then runs web, worker and clock; closing this window ends them.
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot
$python = Join-Path $PSScriptRoot ".venv\Scripts\python.exe"
$port = ((Get-Content .env | Where-Object { $_ -match "^PORT=" }) -replace "^PORT=", "")
if (-not $port) { $port = "8000" }
& $python -m flask --app wsgi prepare
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
$parts = @(
    @("-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", $port, "wsgi:app"),
    @("-m", "jobs.worker"),
    @("-m", "jobs.clock")
)
$running = $parts | ForEach-Object { Start-Process -FilePath $python -ArgumentList $_ -NoNewWindow -PassThru }
try { Wait-Process -Id $running[0].Id } finally { $running | Where-Object { -not $_.HasExited } | Stop-Process }
