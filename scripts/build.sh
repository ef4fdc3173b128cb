# shellcheck shell=bash
# Sourced with $top set: need_dotnet and build_programs.

need_dotnet() {
    if ! command -v dotnet >/dev/null && [ -x "$HOME/.dotnet/dotnet" ]; then PATH=$HOME/.dotnet:$PATH; fi
    if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep '^1[0-9]\.' >/dev/null; then
        echo "This needs the .NET 10 SDK (dotnet): install dotnet-sdk-10.0 as https://dot.net/download says, then run it again." >&2
        exit 1
    fi
    export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
}

programs=$top/src/Dom0/bin/ready

# Whether a source is newer than the last good build. Tests, bin and obj do not count.
programs_are_stale() {
    local stamp=$top/src/Dom0/bin/built
    [ -x "$programs/xm" ] && [ -x "$programs/xend" ] && [ -e "$stamp" ] || return 0
    [ -n "$(find "$top/src" "$top"/Directory.*.props "$top/.editorconfig" \
        \( -name bin -o -name obj \) -prune -o -newer "$stamp" \
        \( -name '*.cs' -o -name '*.csproj' -o -name '*.proto' -o -name '*.props' -o -name '*.targets' -o -name '.editorconfig' \) -print -quit)" ]
}

# Builds xm and xend if needed; quiet unless it fails. Safe when several start at once.
build_programs() {
    programs_are_stale || return 0
    need_dotnet
    mkdir -p "$top/src/Dom0/bin"
    exec 8>"$top/src/Dom0/bin/lock"
    flock 8
    if programs_are_stale; then
        echo "building xm and xend..." >&2
        local began log project
        rm -f "$top"/src/Dom0/bin/began.*
        began=$(mktemp "$top/src/Dom0/bin/began.XXXXXX")
        for project in Service/Xen.Service Xm/Xen.Xm; do
            if ! log=$(dotnet build "$top/src/Dom0/$project.csproj" -c Release -v q -nologo -clp:NoSummary </dev/null 2>&1); then
                rm -f "$began"
                grep -E ': error ' <<<"$log" | sort -u >&2 || echo "$log" >&2
                echo "xm: the build failed; the errors are above." >&2
                exit 1
            fi
        done
        # The stamp is as old as the build's beginning: what was edited meanwhile counts as newer.
        mv "$began" "$top/src/Dom0/bin/built"
    fi
    exec 8>&-
}
