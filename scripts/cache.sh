# shellcheck shell=bash
# Sourced with $top set: defines $cache, an absolute folder that exists.
# With XEN_SLN_CACHE set, .cache becomes a link to it, so that paths like ../.cache/vmlinuz-cloud hold in the examples.
cache=${XEN_SLN_CACHE:-$top/.cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
if [ "$cache" != "$top/.cache" ] && [ ! -e "$top/.cache" ]; then
    ln -sfn "$cache" "$top/.cache" 2>/dev/null || true
fi
