# fish completion for agentkeys-daemon
# Made by `make docs` from the command definitions; do not edit.

# The command that was typed, the values of flags before it aside.
function __agentkeys_daemon_command
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case --broker --session-store --keychain-timeout --allow --allow-root --metrics-listen --log-level --log-format
                set value yes
            case '-*'
            case '*'
                printf '%s\n' $word
                return 0
        end
    end
    return 1
end

function __agentkeys_daemon_in
    set -l command (__agentkeys_daemon_command); and test $command = $argv[1]
end

complete -c agentkeys-daemon -f
complete -c agentkeys-daemon -l help -d 'Say what the program or the command takes'
complete -c agentkeys-daemon -l json -d 'Print JSON, and errors as one JSON object on standard error'
complete -c agentkeys-daemon -l print-config -d 'Print each setting and where it came from, and end'
complete -c agentkeys-daemon -l broker -x -d 'Base URL of the broker, with its key pin if it has one, instead of the session\'s own'
complete -c agentkeys-daemon -l session-store -x -a 'auto file keychain' -d 'Where sessions are kept: auto, file or keychain'
complete -c agentkeys-daemon -l keychain-timeout -x -d 'Bound of one keychain operation, like 2s'
complete -c agentkeys-daemon -l allow -x -d 'Who may ask: user=NAME, group=NAME or unit=NAME.service, separated by commas'
complete -c agentkeys-daemon -l allow-root -x -a 'true false' -d 'Whether root may ask: true or false'
complete -c agentkeys-daemon -l metrics-listen -x -d 'A TCP address for /metrics of this instance alone'
complete -c agentkeys-daemon -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error'
complete -c agentkeys-daemon -l log-format -x -a 'text json' -d 'text or json'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a run -d 'Keep one agent\'s session and serve its credentials; what the service starts'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in run' -l wallet -x -d 'The agent'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in run' -l alias -x -d 'The name that the owner is asked to give'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in run' -l scope -x -d 'The services that the owner is asked for: a,b, all or none'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in run' -l pair -d 'Pair first when no agent is paired here'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in run' -l recover -x -d 'Recover this agent first when none is paired here'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a pair -d 'Make this machine a new agent: shows a code that the owner approves'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in pair' -l alias -x -d 'The name that the owner is asked to give'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in pair' -l scope -x -d 'The services that the owner is asked for: a,b, all or none'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in pair' -l run-as -x -a '(__fish_complete_users)' -d 'Whose keyring holds the session, and as whom the unit runs (root, with the package)'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in pair' -l start -d 'Enable and start the unit when the owner has approved (root, with the package)'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a recover -d 'Make this machine an agent that there is already'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in recover' -l run-as -x -a '(__fish_complete_users)' -d 'Whose keyring holds the session, and as whom the unit runs (root, with the package)'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in recover' -l start -d 'Enable and start the unit when the owner has approved (root, with the package)'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a status -d 'Say how the daemons of this machine are'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in status' -l wallet -x -d 'The agent; all of this machine where none is named'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in status' -l color -x -a 'auto always never' -d 'Colours: auto is on a terminal only; or always, never ($NO_COLOR)'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a wait -d 'Wait until a daemon can serve'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in wait' -l wallet -x -d 'The agent'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in wait' -l timeout -x -d 'How long to wait; 30s where nothing is said'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a probe -d 'Look at the keychain, without asking a person anything'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a doctor -d 'Say what is wrong on this machine, and the command that mends it'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in doctor' -l wallet -x -d 'The agent; all of this machine where none is named'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in doctor' -l color -x -a 'auto always never' -d 'Colours: auto is on a terminal only; or always, never ($NO_COLOR)'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in doctor' -l verbose -d 'Show every check, not only what is wrong'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a forget -d 'Remove an agent\'s session from this machine'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in forget' -l wallet -x -d 'The agent'
complete -c agentkeys-daemon -n '__agentkeys_daemon_in forget' -l yes -d 'Do not ask'

complete -c agentkeys-daemon -n 'not __agentkeys_daemon_command >/dev/null' -a version -d 'Say which build this is'
