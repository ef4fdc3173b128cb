# shellcheck shell=bash
# Sourced by whatever runs guests of ours: a xend of its own for them, which xm create starts as it does for everybody who has none
# running, and which nobody else's domains are in.

# Before the first xm. Not in the folder of a bench: the path of a socket has 107 characters at most.
private_xend() {
    xend_home=$(mktemp -d "${TMPDIR:-/tmp}/xen-bench.XXXXXX")
    export XEN_RUNTIME_DIR=$xend_home/run XEN_LOG_DIR=$xend_home/log XEN_CONFIG_DIR=$xend_home/etc
}

# The process, also of a xend that is only starting and holds no lock yet.
xend_pid() {
    local process
    for process in $(grep -lsz "^XEN_RUNTIME_DIR=$XEN_RUNTIME_DIR\$" /proc/[0-9]*/environ); do
        process=${process%/environ}
        [ "$(cat "$process/comm" 2>/dev/null)" != xend ] || echo "${process#/proc/}"
    done
}

# What it had most of the host's memory at once, guests included, in KiB.
xend_peak() { awk '/^VmHWM/ { print $2 }' "/proc/$(xend_pid)/status"; }

# end_xend: it and its guests are gone when this returns, and an xm that is at a console ends.
end_xend() {
    local pid i
    [ -n "${xend_home-}" ] || return 0
    for ((i = 0; i < 200; i++)); do
        pid=$(xend_pid)
        [ -n "$pid" ] || return 0
        # Told twice it does not wait for its guests.
        ((i > 1)) || kill "$pid" 2>/dev/null || true
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
}

# The last thing of a bench, when no xm is left that could start one.
remove_xend() {
    end_xend
    [ -z "${xend_home-}" ] || rm -rf "$xend_home"
}
