# bash completion for agentkeys-daemon  -*- shell-script -*-
# Made by `make docs` from the command definitions; do not edit.
# shellcheck shell=bash disable=SC2207

_agentkeys_daemon() {
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
        --broker | --session-store | --keychain-timeout | --allow | --allow-root | --metrics-listen | --log-level | --log-format) value=next ;;
        run | pair | recover | status | wait | probe | doctor | forget | version) command=$word ;;
        esac
    done

    case $command:$prev in
    *:--broker)
        # Nothing to offer.
        return
        ;;
    *:--session-store)
        COMPREPLY=($(compgen -W $'auto\nfile\nkeychain' -- "$cur"))
        return
        ;;
    *:--keychain-timeout)
        # Nothing to offer.
        return
        ;;
    *:--allow)
        # Nothing to offer.
        return
        ;;
    *:--allow-root)
        COMPREPLY=($(compgen -W $'true\nfalse' -- "$cur"))
        return
        ;;
    *:--metrics-listen)
        # Nothing to offer.
        return
        ;;
    *:--log-level)
        COMPREPLY=($(compgen -W $'debug\ninfo\nwarn\nerror' -- "$cur"))
        return
        ;;
    *:--log-format)
        COMPREPLY=($(compgen -W $'text\njson' -- "$cur"))
        return
        ;;
    run:--wallet)
        # Nothing to offer.
        return
        ;;
    run:--alias)
        # Nothing to offer.
        return
        ;;
    run:--scope)
        # Nothing to offer.
        return
        ;;
    run:--recover)
        # Nothing to offer.
        return
        ;;
    pair:--alias)
        # Nothing to offer.
        return
        ;;
    pair:--scope)
        # Nothing to offer.
        return
        ;;
    pair:--run-as)
        COMPREPLY=($(compgen -u -- "$cur"))
        return
        ;;
    recover:--run-as)
        COMPREPLY=($(compgen -u -- "$cur"))
        return
        ;;
    status:--wallet)
        # Nothing to offer.
        return
        ;;
    status:--color)
        COMPREPLY=($(compgen -W $'auto\nalways\nnever' -- "$cur"))
        return
        ;;
    wait:--wallet)
        # Nothing to offer.
        return
        ;;
    wait:--timeout)
        # Nothing to offer.
        return
        ;;
    doctor:--wallet)
        # Nothing to offer.
        return
        ;;
    doctor:--color)
        COMPREPLY=($(compgen -W $'auto\nalways\nnever' -- "$cur"))
        return
        ;;
    forget:--wallet)
        # Nothing to offer.
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
        '') words=$'--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        run) words=$'--wallet\n--alias\n--scope\n--pair\n--recover\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        pair) words=$'--alias\n--scope\n--run-as\n--start\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        recover) words=$'--run-as\n--start\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        status) words=$'--wallet\n--color\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        wait) words=$'--wallet\n--timeout\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        probe) words=$'--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        doctor) words=$'--wallet\n--color\n--verbose\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        forget) words=$'--wallet\n--yes\n--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        version) words=$'--help\n--json\n--print-config\n--broker\n--session-store\n--keychain-timeout\n--allow\n--allow-root\n--metrics-listen\n--log-level\n--log-format' ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi

    case $command in
    '') COMPREPLY=($(compgen -W $'run\npair\nrecover\nstatus\nwait\nprobe\ndoctor\nforget\nversion' -- "$cur")) ;;
    esac
}
complete -F _agentkeys_daemon agentkeys-daemon
