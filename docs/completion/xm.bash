# shellcheck shell=bash
# Completion for xm and xend in bash. Source it in ~/.bashrc, or install it as
# /usr/share/bash-completion/completions/xm with a link to it of the name xend.

_xm_verbs='block-attach block-detach block-list cert console create debug-keys delete destroy dmesg domid domname domstate dump-core help info list log
    mem-max mem-set network-attach network-detach network-list new pause reboot rename reset sched-credit shutdown start sysrq top trigger unpause
    uptime vcpu-list vcpu-pin vcpu-set'
_xm_keys='name= kernel= ramdisk= root= extra= cmdline= features= memory= maxmem= vcpus= maxvcpus= cpus= cpu_weight= cpu_cap= cpu_engine= cpuid=
    code_cache= disk= vif= console= max_event_channels= max_grant_frames= max_maptrack_frames= uuid= on_poweroff= on_reboot= on_crash= on_watchdog=
    on_xend_start= on_xend_stop='

# The program to ask, with the options in _xm's remote. In a checkout ./xm is a script that may build first, for which nobody waits who pressed Tab.
_xm_ask() {
    local program=$1 built
    shift
    built=$(dirname -- "$program")/src/Dom0/bin/ready/xm
    if [[ $program = */* && -x $built ]]; then program=$built; fi
    "$program" "${remote[@]}" "$@" 2>/dev/null
}

# _xm_domains PROGRAM [STATE]: the names of those that run, without domain 0; or of those in a state.
_xm_domains() { _xm_ask "$1" list ${2:+--state="$2"} | awk -v state="${2-}" 'NR > 1 && (state != "" || NF == 6 && $2 != 0) { print $1 }'; }

# _xm_devices PROGRAM VERB DOMAIN
_xm_devices() {
    case $2 in
        block-detach) _xm_ask "$1" block-list --json "$3" | sed -n 's/^ *"name": "\(.*\)",*$/\1/p' ;;
        network-detach) _xm_ask "$1" network-list --json "$3" | sed -n 's/^ *"index": \([0-9]*\),*$/\1/p' ;;
    esac
}

# _xm_offer WORD LIST: those of the list that begin with the word. A word with = or : in it is several to readline, which wants the last of them.
_xm_offer() {
    local word=$1 before=''
    [[ $word != *[=:]* ]] || before=${word%"${word##*[=:]}"}
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$word")
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

# _xm_configs WORD: configuration files and folders, here and where xm looks for them.
_xm_configs() {
    local folder file
    mapfile -t COMPREPLY < <(compgen -d -S / -- "$1"; compgen -f -X '!*.cfg' -- "$1")
    compopt -o filenames 2>/dev/null
    [[ $1 != */* ]] || return
    for folder in "${XDG_CONFIG_HOME:-$HOME/.config}/xen" /etc/xen; do
        for file in "$folder/$1"*.cfg; do [ ! -e "$file" ] || COMPREPLY+=("${file##*/}"); done
    done
}

_xm_value() {
    case $1 in
        on_xend_start=*) _xm_offer "$1" 'on_xend_start=start on_xend_start=ignore' ;;
        on_xend_stop=*) _xm_offer "$1" 'on_xend_stop=shutdown on_xend_stop=destroy' ;;
        on_*=*) _xm_offer "$1" "$(printf '%s ' "${1%%=*}="{destroy,restart,rename-restart,preserve,coredump-destroy,coredump-restart})" ;;
        cpu_engine=*) _xm_offer "$1" "cpu_engine=translator cpu_engine=interpreter cpu_engine=lockstep" ;;
        kernel=*|ramdisk=*)
            mapfile -t COMPREPLY < <(compgen -f -- "${1#*=}")
            compopt -o filenames 2>/dev/null ;;
        *=*) ;;
        *)
            _xm_offer "$1" "$_xm_keys"
            compopt -o nospace 2>/dev/null ;;
    esac
}

_xm() {
    local program=$1 verb='' word position=0 words=() options='--help'
    COMPREPLY=()
    # As the user sees words: readline would cut at = and :, too.
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
    word=${words[-1]}
    # Which xend, before the verb.
    local remote=()
    while ((${#words[@]} > 2)); do
        case ${words[1]} in
            --connect=*|--tls-*=*) remote+=("${words[1]}"); words=("${words[0]}" "${words[@]:2}") ;;
            --connect|--tls-*)
                ((${#words[@]} > 3)) || return
                remote+=("${words[1]}" "${words[2]}"); words=("${words[0]}" "${words[@]:3}") ;;
            *) break ;;
        esac
    done
    verb=${words[1]-}
    if ((${#words[@]} <= 2)); then
        _xm_offer "$word" "$_xm_verbs --connect --tls-cert --tls-key --tls-ca --help --version"
        return
    fi
    # Which of the verb's words this is; options do not count, nor the number after console -n.
    local i domain=''
    for ((i = 2; i < ${#words[@]} - 1; i++)); do
        case $verb:${words[i]} in
            console:-n|console:--num|create:--count|new:--count) ((++i)) ;;
            *:-*) ;;
            *) ((position++)) || domain=${words[i]} ;;
        esac
    done
    case $verb:${words[-2]} in
        cert:--role) _xm_offer "$word" 'operator reader'; return ;;
        cert:--folder)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            compopt -o filenames 2>/dev/null
            return ;;
        cert:--name|cert:--days|cert:--client) return ;;
        console:-n|console:--num) _xm_offer "$word" '0 1 2 3 4 5 6 7'; return ;;
        list:--state) _xm_offer "$word" 'all running paused halted shutdown crashed dying'; return ;;
        create:--count|new:--count) return ;;
        sched-credit:-d|sched-credit:--domain) _xm_offer "$word" "$(_xm_domains "$program")"; return ;;
        top:-S|top:--sort)
            _xm_offer "$word" 'id name state cpusec cpu% mem mem% maxmem maxmem% vcpus nets nettx netrx vbds vbd_oo vbd_rd vbd_wr vbd_rsect vbd_wsect ssid'
            return ;;
        top:-[di]|top:--delay|top:--iterations) return ;;
        sched-credit:-[wc]|sched-credit:--weight|sched-credit:--cap) return ;;
    esac
    case $verb in
        create) options='-c --console_autoconnect -p --paused -n --dryrun -q --quiet --count --cow --engine-check --help' ;;
        new) options='-n --dryrun -q --quiet --count --cow --help' ;;
        start) options='-c --console_autoconnect -p --paused --help' ;;
        cert) options='--folder --name --days --force --client --role --server --help' ;;
        console) options='-r --read-only -n --num --help' ;;
        list) options='-l --long --state --json --help' ;;
        info|block-list|network-list|vcpu-list) options='--json --help' ;;
        top) options='-d --delay -n --networks -x --vbds -v --vcpus -r --repeat-header -f --full-name -z --dom0-first -S --sort -R --reverse -b --batch -i --iterations --json --help' ;;
        uptime) options='-s --short --json --help' ;;
        shutdown) options='-a --all -w --wait -H --halt -R --reboot --help' ;;
        reboot) options='-a --all -w --wait --help' ;;
        dump-core) options='-L --live -C --crash -R --reset --help' ;;
        sched-credit) options='-d --domain -w --weight -c --cap --json --help' ;;
        dmesg) options='-c --clear --help' ;;
        block-detach|network-detach) options='-f --force --help' ;;
    esac
    case $verb:$position:$word in
        *:-*) _xm_offer "$word" "$options" ;;
        help:0:*) _xm_offer "$word" "$_xm_verbs" ;;
        create:0:*|new:0:*) _xm_configs "$word" ;;
        start:0:*|delete:0:*) _xm_offer "$word" "$(_xm_domains "$program" halted)" ;;
        create:*|new:*) _xm_value "$word" ;;
        debug-keys:0:*) _xm_offer "$word" 'q d r m e h' ;;
        trigger:1:*) _xm_offer "$word" nmi ;;
        vcpu-pin:[12]:*) _xm_offer "$word" all ;;
        dump-core:1:*)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            compopt -o filenames 2>/dev/null ;;
        vcpu-list:*|uptime:*) _xm_offer "$word" "$(_xm_domains "$program")" ;;
        list:*) _xm_offer "$word" "Domain-0 $(_xm_domains "$program")" ;;
        domid:0:*|domname:0:*|domstate:0:*|console:0:*|destroy:0:*|pause:0:*|unpause:0:*|shutdown:0:*|reboot:0:*|reset:0:*|rename:0:*|sysrq:0:*|\
        trigger:0:*|mem-*:0:*|vcpu-*:0:*|dump-core:0:*|block-*:0:*|network-*:0:*) _xm_offer "$word" "$(_xm_domains "$program")" ;;
        block-detach:1:*|network-detach:1:*) _xm_offer "$word" "$(_xm_devices "$program" "$verb" "$domain")" ;;
        network-attach:*)
            _xm_offer "$word" 'bridge= mac= rate= vifname= devid= mtu='
            compopt -o nospace 2>/dev/null ;;
        block-attach:[12]:*)
            mapfile -t COMPREPLY < <(compgen -f -- "${word##*:}")
            compopt -o filenames 2>/dev/null ;;
    esac
}

_xend() {
    COMPREPLY=()
    local words=() word
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
    word=${words[-1]}
    local options='--foreground --memory --idle-exit --socket-group --readers-group --listen --tls-cert --tls-key --tls-ca --metrics --metrics-any'
    case ${words[-2]} in
        --socket-group|--readers-group)
            mapfile -t COMPREPLY < <(compgen -g -- "$word")
            return ;;
        --tls-cert|--tls-key|--tls-ca)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            compopt -o filenames 2>/dev/null
            return ;;
    esac
    case ${#words[@]}:${words[1]-} in
        *:stop) [ "$word" = stop ] || _xm_offer "$word" '--timeout --help' ;;
        *:status) [ "$word" = status ] || _xm_offer "$word" '--help' ;;
        2:*) _xm_offer "$word" "stop status $options --help --version" ;;
        *) _xm_offer "$word" "$options" ;;
    esac
}

complete -F _xm xm
complete -F _xend xend
