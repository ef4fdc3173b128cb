#!/bin/sh
# Writes layout.txt: what the Xen public headers say about every type in Xen.Abi.
# usage: regenerate.sh [file]
# Needs gcc and the headers of Xen 4.17 (Debian: libxen-dev); XEN_INCLUDE names a directory that holds xen/ if it is not /usr/include.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/layout.txt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$here"
gcc -std=gnu11 -m64 -Wall -Werror -Wno-unused-const-variable -D__XEN_TOOLS__ -I "${XEN_INCLUDE:-/usr/include}" -o "$work/golden" ./*.c
{
    echo "# Made by regenerate.sh from the Xen public headers; do not edit."
    echo "source $(cat ./*.c ./*.h | sha256sum | cut -d ' ' -f 1)"
    "$work/golden"
} > "$work/layout.txt"
cp "$work/layout.txt" "$out"
