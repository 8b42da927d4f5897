# bash completion for agentkeys-exporter  -*- shell-script -*-
# Made by `make docs` from the command definitions; do not edit.
# shellcheck shell=bash disable=SC2207

_agentkeys_exporter() {
    local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' value='' i word words=''
    COMPREPLY=()
    # --flag=value comes as three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $command || -n $value ]]; then
            value=''
            continue
        fi
        case $word in
        --web.listen-address | --web.config.file | --write | --aliases | --log-level) value=next ;;
        version) command=$word ;;
        esac
    done

    case $command:$prev in
    *:--web.listen-address)
        # Nothing to offer.
        return
        ;;
    *:--web.config.file)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    *:--write)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    *:--aliases)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    *:--log-level)
        COMPREPLY=($(compgen -W $'debug\ninfo\nwarn\nerror' -- "$cur"))
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
        '') words=$'--help\n--web.listen-address\n--web.config.file\n--write\n--aliases\n--log-level\n--json' ;;
        version) words=$'--help\n--web.listen-address\n--web.config.file\n--write\n--aliases\n--log-level\n--json' ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi

    case $command in
    '') COMPREPLY=($(compgen -W $'version' -- "$cur")) ;;
    esac
}
complete -F _agentkeys_exporter agentkeys-exporter
