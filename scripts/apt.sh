# shellcheck shell=bash
# Sourced with $cache, say and die set: apt with everything it writes inside the cache, so that it needs no root.
# Defines $apt, apt_get, apt_cache, update_lists, fresh_lists, known, first_known, kernel_of and download.

apt=$cache/apt

# One user of the private lists at a time: whoever waited finds them fresh.
lock_apt() {
    local tool
    exec 9>"$cache/.lock"
    flock -n 9 || { say "waiting for another fetch to end..."; flock 9; }
    for tool in apt-get apt-cache dpkg-deb; do
        command -v $tool >/dev/null || die "this machine has no $tool, which fetching needs. Use Debian or Ubuntu." "$@"
    done
    mkdir -p "$apt"/{lists,cache/archives,state}/partial
    : > "$apt/status"
    cat > "$apt/apt.conf.$$" <<CONF
Dir::State "$apt/state";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Log "$apt";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures { "amd64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
CONF
    mv "$apt/apt.conf.$$" "$apt/apt.conf"
}

unlock_apt() { exec 9>&-; }

apt_get() { apt-get -c "$apt/apt.conf" -q "$@"; }
apt_cache() { apt-cache -c "$apt/apt.conf" "$@"; }

update_lists() {
    say "fetching package lists..."
    # A source that fails does not matter as long as the packages are found: judged there.
    apt_get update >"$apt/update.log" 2>&1 || true
    date +%s > "$apt/updated"
}

# fresh_lists [now]: the lists are there and not older than a day, or than now.
fresh_lists() {
    local age=$(($(date +%s) - $(cat "$apt/updated" 2>/dev/null || echo 0)))
    if [ "${1-}" = now ] || ((age > 86400)) || ! known busybox-static; then update_lists; fi
}

# Not by a pipe into grep -q: with pipefail, a reader that ends early makes the writer's SIGPIPE our failure.
known() {
    local record
    record=$(apt_cache show --no-all-versions "$1" 2>/dev/null) && [[ $'\n'$record == *$'\nFilename:'* ]]
}

# The first of the given packages that the archive has.
first_known() {
    local p
    for p; do if known "$p"; then echo "$p"; return; fi; done
    grep -E '^(E|Err|W):?' "$apt/update.log" 2>/dev/null | tail -5 >&2 || true
    die "the package sources of this machine have none of: $*." \
        "Check the network and /etc/apt/sources.list (on Debian: component main, on Ubuntu: main and universe)."
}

# The kernel package that a metapackage stands for.
kernel_of() {
    local meta
    meta=$(first_known "$@")
    apt_cache show --no-all-versions "$meta" | awk '/^Depends:/ && !found && match($0, /linux-image-[0-9][^ ,(]*/) { found = 1; print substr($0, RSTART, RLENGTH) }'
}

# download PACKAGE FOLDER: leaves the package's one .deb in FOLDER.
download() {
    say "fetching $1..."
    mkdir -p "$2"
    (cd "$2" && apt_get download "$1" >"$apt/download.log" 2>&1) && return
    update_lists # The lists may be older than the archive.
    (cd "$2" && apt_get download "$1" >"$apt/download.log" 2>&1) || {
        grep -E '^(E|Err|W)' "$apt/download.log" | tail -5 >&2 || true
        die "cannot download $1. Check the network, then run this again."
    }
}
