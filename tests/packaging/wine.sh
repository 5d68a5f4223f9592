#!/bin/bash
# Runs a Windows program by wine and prints what it prints: wine.sh PROGRAM.exe [ARGUMENT...]
#
# Beside the program comes a library that Windows has had since 8 and wine 8 lacks.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
{
  wants /usr/bin/wine wine
  wants /usr/lib/wine/wine64 wine64
  install_packages
  need_zig
} >&2
program=$1
folder=$(cd "$(dirname "$program")" && pwd)
"$zig" cc -target x86_64-windows-gnu -shared -s "$here/coexist/bcryptprimitives.c" -ladvapi32 -o "$folder/bcryptprimitives.dll"
export WINEPREFIX=$here/../../target/packaging/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
mkdir -p "$WINEPREFIX"
trap 'wineserver -k || true' EXIT
# Into a file: wine's own services outlive the program, and would keep a pipe open.
result=0
timeout --kill-after=30 900 wine "$program" "${@:2}" >"$folder/said.txt" 2>"$folder/errors.txt" </dev/null || result=$?
tr -d '\r' <"$folder/said.txt"
tr -d '\r' <"$folder/errors.txt" >&2
exit $result
