# bash completion for agentkeys-broker  -*- shell-script -*-
# Made by `make docs` from the command definitions; do not edit.
# shellcheck shell=bash disable=SC2207

_agentkeys_broker() {
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
        serve | reload | setup-token | backup | restore | clock | version) command=$word ;;
        esac
    done

    case $command:$prev in
    serve:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    serve:--listen)
        # Nothing to offer.
        return
        ;;
    serve:--tls)
        COMPREPLY=($(compgen -W $'self-signed' -- "$cur"))
        return
        ;;
    serve:--tls-cert)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    serve:--tls-key)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    serve:--url-host)
        # Nothing to offer.
        return
        ;;
    serve:--trusted-proxy)
        # Nothing to offer.
        return
        ;;
    serve:--metrics-listen)
        # Nothing to offer.
        return
        ;;
    serve:--log-level)
        COMPREPLY=($(compgen -W $'debug\ninfo\nwarn\nerror' -- "$cur"))
        return
        ;;
    serve:--log-format)
        COMPREPLY=($(compgen -W $'text\njson' -- "$cur"))
        return
        ;;
    reload:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    reload:--listen)
        # Nothing to offer.
        return
        ;;
    reload:--tls)
        COMPREPLY=($(compgen -W $'self-signed' -- "$cur"))
        return
        ;;
    reload:--tls-cert)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    reload:--tls-key)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    reload:--url-host)
        # Nothing to offer.
        return
        ;;
    reload:--trusted-proxy)
        # Nothing to offer.
        return
        ;;
    reload:--metrics-listen)
        # Nothing to offer.
        return
        ;;
    reload:--log-level)
        COMPREPLY=($(compgen -W $'debug\ninfo\nwarn\nerror' -- "$cur"))
        return
        ;;
    reload:--log-format)
        COMPREPLY=($(compgen -W $'text\njson' -- "$cur"))
        return
        ;;
    setup-token:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    backup:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    restore:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    clock:--data)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
        '') words=$'--help\n--json' ;;
        serve) words=$'--data\n--listen\n--tls\n--tls-cert\n--tls-key\n--url-host\n--insecure-http\n--trusted-proxy\n--metrics-listen\n--log-level\n--log-format\n--help\n--json' ;;
        reload) words=$'--data\n--listen\n--tls\n--tls-cert\n--tls-key\n--url-host\n--insecure-http\n--trusted-proxy\n--metrics-listen\n--log-level\n--log-format\n--help\n--json' ;;
        setup-token) words=$'--data\n--help\n--json' ;;
        backup) words=$'--data\n--help\n--json' ;;
        restore) words=$'--data\n--replace\n--help\n--json' ;;
        clock) words=$'--data\n--accept\n--help\n--json' ;;
        version) words=$'--help\n--json' ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi

    case $command in
    '') COMPREPLY=($(compgen -W $'serve\nreload\nsetup-token\nbackup\nrestore\nclock\nversion' -- "$cur")) ;;
    backup)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    restore)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        ;;
    esac
}
complete -F _agentkeys_broker agentkeys-broker
