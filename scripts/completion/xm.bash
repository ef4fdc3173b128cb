# shellcheck shell=bash
# Completion for xm: source this file, or put it into a bash-completion folder under the name "xm".

_xm() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]-} verbs keys
    verbs="create console list destroy pause unpause domid domname block-attach block-detach block-list
        network-attach network-detach network-list dmesg debug-keys info help"
    keys="name= kernel= ramdisk= root= extra= cmdline= memory= maxmem= vcpus= maxvcpus= on_poweroff= on_reboot= on_crash=
        on_watchdog= cpu_weight= cpu_cap= cpus= uuid= cpu_engine= code_cache= disk= vif= console="
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$word")
        return
    fi
    case $verb in
        create)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-c -p -n -q --help" -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$word"; compgen -W "$keys" -- "$word")
                [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
            fi
            ;;
        block-*|network-*)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-f --json --help" -- "$word")
            elif ((COMP_CWORD == 2)); then
                mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" list 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word")
            elif [[ $verb == block-attach ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            elif [[ $verb == network-attach ]]; then
                mapfile -t COMPREPLY < <(compgen -W "bridge= mac= rate= vifname= devid= mtu=" -- "$word")
                compopt -o nospace
            fi
            ;;
        console)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-n --num --help" -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" list 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word")
            fi
            ;;
        list|destroy|pause|unpause|domid|domname|dmesg)
            mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" list 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word")
            ;;
        debug-keys)
            ((COMP_CWORD == 2)) && mapfile -t COMPREPLY < <(compgen -W "q h" -- "$word")
            ;;
        help)
            mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
            ;;
    esac
}
complete -o filenames -F _xm xm ./xm
