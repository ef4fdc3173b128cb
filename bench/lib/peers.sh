# shellcheck shell=bash
# Sourced by bench/cpu after xend.sh, with $top, $work, $cache, $initramfs, $programs, $memory and $patience set: the peers that
# are measured. Each is a process that reads names of rows and answers (bench/programs/cpu-guest): on the host, or in a guest
# that stays up between two rows and sleeps meanwhile.

declare -A peer_pid=() peer_in=() peer_out=() peer_began=()
declare -A lost=() # Peers that are no longer measured.
failures=() # What went wrong, a sentence each.

run_native() {
    cd "$work/native" || exit
    PATH=$work/bin exec "$cache/busybox" sh "$top/bench/programs/cpu-guest"
}
run_xm() {
    exec "$programs/xm" create -q -c "$top/examples/debian.cfg" name="bench-cpu-$$" memory="$memory" vcpus="$1" \
        ramdisk="$initramfs" extra="console=hvc0 quiet panic=1 rdinit=/bin/cpu-guest" on_reboot=destroy
}
run_qemu() {
    qemu "$1" "$memory" "$2" -kernel "$cache/vmlinuz-cloud" -initrd "$initramfs" \
        -append "console=ttyS0 quiet no_timer_check panic=1 rdinit=/bin/cpu-guest"
}
run_peer() {
    local other
    for other in "${peer_in[@]}" "${peer_out[@]}"; do exec {other}>&-; done
    case $1 in
        native) run_native ;;
        xm) run_xm "$2" ;;
        qemu-*) run_qemu "$1" "$2" ;;
    esac
}

# start_peer PEER VCPUS: starts it; it answers as if it had been asked for the row "boot".
start_peer() {
    local peer=$1 pipe=$work/pipes/$1 fd
    rm -f "$pipe".*
    mkfifo "$pipe.in" "$pipe.out"
    # Open at both ends, so that neither side waits for the other to open it.
    exec {fd}<>"$pipe.in"
    peer_in[$peer]=$fd
    # Its own process group, so that what it has started ends with it.
    set -m
    run_peer "$peer" "$2" <"$pipe.in" >"$pipe.out" 2>"$work/$peer.err" &
    peer_pid[$peer]=$!
    set +m
    # The shell need not report how it ended; we do.
    disown "$!"
    exec {fd}<"$pipe.out"
    peer_out[$peer]=$fd
    : >"$work/$peer.log"
}

# lose PEER REASON: does without it from now on. What it said that is no answer may say why.
lose() {
    local said
    said=$(cat "$work/$1.log" "$work/$1.err" | tr -d '\r' | grep -vE '^(bench: .*|#check .*|[a-z0-9_]+ [0-9.]+|)$' | tail -n 3 | tr '\n' ' ' | tail -c 400)
    lost[$1]=yes
    failures+=("$1: $2. ${said:-It did not say why.}")
    kill_peer "$1"
}

kill_peer() {
    local pid=${peer_pid[$1]-} i fd
    [ -n "$pid" ] || return 0
    unset "peer_pid[$1]"
    kill -- "-$pid" 2>/dev/null || true
    [ "$1" != xm ] || end_xend
    for ((i = 0; i < 100; i++)); do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.05; done
    kill -KILL -- "-$pid" 2>/dev/null || true
    for fd in "${peer_in[$1]}" "${peer_out[$1]}"; do exec {fd}>&-; done
    unset "peer_in[$1]" "peer_out[$1]"
}

# await PEER ROW: reads the answer, to $value and $check. Fails if there is none; the peer is lost then, unless it went on to say so.
await() {
    local peer=$1 row=$2 line code=0
    value='' check=''
    while IFS= read -r -t "$patience" -u "${peer_out[$peer]}" line || { code=$?; false; }; do
        line=${line%$'\r'}
        echo "$line" >>"$work/$peer.log"
        case $line in
            "bench: done $row "*)
                [ "${line##* }" = 0 ] && return
                failures+=("$peer could not do $row: $(tail -n 2 "$work/$peer.log" | head -n 1).")
                return 1 ;;
            "#check $row "*) check=${line##* } ;;
            "$row "*) value=${line##* } ;;
        esac
    done
    if ((code > 128)); then lose "$peer" "no answer within $patience s, at $row"; else lose "$peer" "it ended, at $row"; fi
    return 1
}

ask() {
    echo "$2" >&"${peer_in[$1]}"
    await "$1" "$2"
}

# The peer's clock and the host's, in microseconds: "PEER HOST".
read_clocks() {
    ask "$1" clock || return
    clocks="$(awk -v s="$value" 'BEGIN { printf "%.0f", s * 1e6 }') ${EPOCHREALTIME/./}"
}

# greet PEER: waits until it is there.
greet() {
    await "$1" boot || return
    read_clocks "$1" || return
    peer_began[$1]=$clocks
}

# Prints by how much a clock was wrong, if it was: more than a hundredth, and than what /proc/uptime (hundredths of a second)
# and a late answer explain.
compare_clocks() {
    awk -v then="$1" -v now="$2" 'BEGIN {
        split(then, a, " "); split(now, b, " ")
        peer = b[1] - a[1]; host = b[2] - a[2]
        off = peer > host ? peer - host : host - peer
        if (off > 0.01 * host + 100000) printf "%.2f s in %.2f s of the host", peer / 1e6, host / 1e6 }'
}

# farewell PEER: ends it, after a look at its clock: it is that which times the rows.
farewell() {
    local peer=$1 line wrong
    [ -n "${peer_pid[$peer]-}" ] || return 0
    if read_clocks "$peer"; then
        wrong=$(compare_clocks "${peer_began[$peer]}" "$clocks")
        [ -z "$wrong" ] || failures+=("$peer: its times are wrong, its clock counted $wrong.")
        echo quit >&"${peer_in[$peer]}"
        # Until it closes its output.
        while IFS= read -r -t 20 -u "${peer_out[$peer]}" line; do :; done
    fi
    kill_peer "$peer"
}
