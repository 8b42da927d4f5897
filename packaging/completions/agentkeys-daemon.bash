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
        --allow | --allow-root | --broker | --keychain-timeout | --log-format | --log-level | --metrics-listen | --session-store) value=next ;;
        run | pair | recover | status | wait | probe | doctor | forget | version) command=$word ;;
        esac
    done

    case $command:$prev in
    *:--allow)
        # Nothing to offer.
        return
        ;;
    *:--allow-root)
        COMPREPLY=($(compgen -W $'true\nfalse' -- "$cur"))
        return
        ;;
    *:--broker)
        # Nothing to offer.
        return
        ;;
    *:--keychain-timeout)
        # Nothing to offer.
        return
        ;;
    *:--log-format)
        COMPREPLY=($(compgen -W $'text\njson' -- "$cur"))
        return
        ;;
    *:--log-level)
        COMPREPLY=($(compgen -W $'debug\ninfo\nwarn\nerror' -- "$cur"))
        return
        ;;
    *:--metrics-listen)
        # Nothing to offer.
        return
        ;;
    *:--session-store)
        COMPREPLY=($(compgen -W $'auto\nfile\nkeychain' -- "$cur"))
        return
        ;;
    run:--alias)
        # Nothing to offer.
        return
        ;;
    run:--recover)
        # Nothing to offer.
        return
        ;;
    run:--scope)
        # Nothing to offer.
        return
        ;;
    run:--wallet)
        # Nothing to offer.
        return
        ;;
    pair:--alias)
        # Nothing to offer.
        return
        ;;
    pair:--run-as)
        COMPREPLY=($(compgen -u -- "$cur"))
        return
        ;;
    pair:--scope)
        # Nothing to offer.
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
    wait:--timeout)
        # Nothing to offer.
        return
        ;;
    wait:--wallet)
        # Nothing to offer.
        return
        ;;
    doctor:--wallet)
        # Nothing to offer.
        return
        ;;
    forget:--wallet)
        # Nothing to offer.
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
        '') words=$'--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        run) words=$'--alias\n--pair\n--recover\n--scope\n--wallet\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        pair) words=$'--alias\n--run-as\n--scope\n--start\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        recover) words=$'--run-as\n--start\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        status) words=$'--wallet\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        wait) words=$'--timeout\n--wallet\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        probe) words=$'--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        doctor) words=$'--wallet\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        forget) words=$'--wallet\n--yes\n--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        version) words=$'--help\n--allow\n--allow-root\n--broker\n--json\n--keychain-timeout\n--log-format\n--log-level\n--metrics-listen\n--print-config\n--session-store' ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi

    case $command in
    '') COMPREPLY=($(compgen -W $'run\npair\nrecover\nstatus\nwait\nprobe\ndoctor\nforget\nversion' -- "$cur")) ;;
    esac
}
complete -F _agentkeys_daemon agentkeys-daemon
