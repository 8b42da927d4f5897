# bash completion for agentkeys  -*- shell-script -*-
# Made by `make docs` from the command definitions; do not edit.
# shellcheck shell=bash disable=SC2207

_agentkeys() {
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
        if [[ $command == run && $word == -- ]]; then
            if declare -F _command_offset >/dev/null; then
                unset IFS
                _command_offset $((i + 1))
            elif ((COMP_CWORD == i + 1)); then
                COMPREPLY=($(compgen -c -- "$cur"))
            else
                compopt -o filenames 2>/dev/null
                COMPREPLY=($(compgen -f -- "$cur"))
            fi
            return
        fi
        if [[ -n $command || -n $value ]]; then
            value=''
            continue
        fi
        case $word in
        --broker | --session-id | --wallet) value=next ;;
        init | whoami | approve | deny | pairings | agents | store | remove | read | list | run | scope | link | revoke | teardown | reopen | usage | doctor | version) command=$word ;;
        esac
    done

    case $command:$prev in
    *:--broker)
        # Nothing to offer.
        return
        ;;
    *:--session-id)
        # Nothing to offer.
        return
        ;;
    *:--wallet)
        # Nothing to offer.
        return
        ;;
    init:--setup-token-file)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    init:--recovery-key)
        # Nothing to offer.
        return
        ;;
    approve:--alias)
        # Nothing to offer.
        return
        ;;
    approve:--scope)
        # Nothing to offer.
        return
        ;;
    approve:--agent)
        # Nothing to offer.
        return
        ;;
    agents:--color)
        COMPREPLY=($(compgen -W $'auto\nalways\nnever' -- "$cur"))
        return
        ;;
    agents:--offline-ttl)
        # Nothing to offer.
        return
        ;;
    store:--agent)
        # Nothing to offer.
        return
        ;;
    store:--from-file)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    remove:--agent)
        # Nothing to offer.
        return
        ;;
    read:--agent)
        # Nothing to offer.
        return
        ;;
    list:--agent)
        # Nothing to offer.
        return
        ;;
    run:--env)
        # Nothing to offer.
        return
        ;;
    run:--agent)
        # Nothing to offer.
        return
        ;;
    scope:--agent)
        # Nothing to offer.
        return
        ;;
    scope:--set)
        # Nothing to offer.
        return
        ;;
    scope:--add)
        # Nothing to offer.
        return
        ;;
    scope:--remove)
        # Nothing to offer.
        return
        ;;
    link:--agent)
        # Nothing to offer.
        return
        ;;
    link:--alias)
        # Nothing to offer.
        return
        ;;
    link:--email)
        # Nothing to offer.
        return
        ;;
    revoke:--agent)
        # Nothing to offer.
        return
        ;;
    teardown:--agent)
        # Nothing to offer.
        return
        ;;
    reopen:--agent)
        # Nothing to offer.
        return
        ;;
    usage:--agent)
        # Nothing to offer.
        return
        ;;
    usage:--service)
        # Nothing to offer.
        return
        ;;
    usage:--action)
        COMPREPLY=($(compgen -W $'account_created\npairing_opened\npairing_approved\npairing_denied\npairing_expired\nrecovered\nrenewed\nresumed\nproof_failed\nparked\nreopened\nrevoked\ntorn_down\nmanifest_changed\ncredential_synced\naccess_granted\naccess_denied\nevents_lost' -- "$cur"))
        return
        ;;
    usage:--since)
        # Nothing to offer.
        return
        ;;
    doctor:--color)
        COMPREPLY=($(compgen -W $'auto\nalways\nnever' -- "$cur"))
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
        '') words=$'--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        init) words=$'--setup-token-file\n--recovery-key\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        whoami) words=$'--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        approve) words=$'--alias\n--scope\n--agent\n--yes\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        deny) words=$'--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        pairings) words=$'--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        agents) words=$'--color\n--offline-ttl\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        store) words=$'--agent\n--from-file\n--exact\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        remove) words=$'--agent\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        read) words=$'--agent\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        list) words=$'--agent\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        run) words=$'--env\n--files\n--agent\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        scope) words=$'--agent\n--set\n--add\n--remove\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        link) words=$'--agent\n--alias\n--email\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        revoke) words=$'--agent\n--yes\n--wipe-keys\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        teardown) words=$'--agent\n--yes\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        reopen) words=$'--agent\n--all\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        usage) words=$'--agent\n--service\n--action\n--since\n--all\n--accept\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        doctor) words=$'--color\n--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        version) words=$'--help\n--broker\n--session-id\n--wallet\n--json\n--verbose\n--wide' ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi

    case $command in
    '') COMPREPLY=($(compgen -W $'init\nwhoami\napprove\ndeny\npairings\nagents\nstore\nremove\nread\nlist\nrun\nscope\nlink\nrevoke\nteardown\nreopen\nusage\ndoctor\nversion' -- "$cur")) ;;
    esac
}
complete -F _agentkeys agentkeys
