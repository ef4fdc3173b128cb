#!/bin/bash
# Builds xm and xend if their sources have changed, then runs it.
set -euo pipefail
top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=scripts/build.sh
. "$top/scripts/build.sh"
build_programs
exec "$programs/xm" "$@"
