# shellcheck shell=bash
# Sourced with $top set: need_dotnet and build_xm.

need_dotnet() {
    if ! command -v dotnet >/dev/null && [ -x "$HOME/.dotnet/dotnet" ]; then PATH=$HOME/.dotnet:$PATH; fi
    if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep '^1[0-9]\.' >/dev/null; then
        echo "This needs the .NET 10 SDK (dotnet): install dotnet-sdk-10.0 as https://dot.net/download says, then run it again." >&2
        exit 1
    fi
    export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
}

xm_binary=$top/src/Dom0/Xm/bin/Release/net10.0/ready/xm

# Whether a source is newer than the last good build. Tests, bin and obj do not count.
xm_is_stale() {
    local stamp=$top/src/Dom0/Xm/obj/built
    [ -x "$xm_binary" ] && [ -e "$stamp" ] || return 0
    [ -n "$(find "$top/src" "$top"/Directory.*.props "$top/.editorconfig" \
        \( -name bin -o -name obj \) -prune -o -newer "$stamp" \
        \( -name '*.cs' -o -name '*.csproj' -o -name '*.proto' -o -name '*.props' -o -name '.editorconfig' \) -print -quit)" ]
}

# Builds xm if needed; quiet unless it fails. Safe when several start at once.
build_xm() {
    xm_is_stale || return 0
    need_dotnet
    mkdir -p "$top/src/Dom0/Xm/obj"
    exec 8>"$top/src/Dom0/Xm/obj/lock"
    flock 8
    if xm_is_stale; then
        echo "building xm..." >&2
        local began log
        rm -f "$top"/src/Dom0/Xm/obj/began.*
        began=$(mktemp "$top/src/Dom0/Xm/obj/began.XXXXXX")
        if ! log=$(dotnet build "$top/src/Dom0/Xm/Xen.Xm.csproj" -c Release -v q -nologo -clp:NoSummary </dev/null 2>&1); then
            rm -f "$began"
            grep -E ': error ' <<<"$log" | sort -u >&2 || echo "$log" >&2
            echo "xm: the build failed; the errors are above." >&2
            exit 1
        fi
        # The stamp is as old as the build's beginning: what was edited meanwhile counts as newer.
        mv "$began" "$top/src/Dom0/Xm/obj/built"
    fi
    exec 8>&-
}
