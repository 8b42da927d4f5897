# fish completion for agentkeys
# Made by `make docs` from the command definitions; do not edit.

# The command that was typed, the values of flags before it aside.
function __agentkeys_command
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case --broker --session-id --wallet
                set value yes
            case '-*'
            case '*'
                printf '%s\n' $word
                return 0
        end
    end
    return 1
end

function __agentkeys_in
    set -l command (__agentkeys_command); and test $command = $argv[1]
end

# What stands behind -- is another program's command line.
function __agentkeys_program
    set -l words (commandline -opc)
    if set -l at (contains -i -- -- $words)
        set -l inner (string escape -- $words[(math $at + 1)..-1]) (commandline -ct)
        complete -C (string join ' ' -- $inner)
    end
end

complete -c agentkeys -f
complete -c agentkeys -l help -d 'Say what the program or the command takes'
complete -c agentkeys -l broker -x -d 'Address of the broker, instead of the one that the session remembers ($AGENTKEYS_BROKER)'
complete -c agentkeys -l session-id -x -d 'Slot to work with, master by default; daemon-<wallet> acts as that agent ($AGENTKEYS_SESSION_ID)'
complete -c agentkeys -l wallet -x -d 'Ask the daemon of this wallet: read, list, run ($AGENTKEYS_WALLET)'
complete -c agentkeys -l json -d 'Print JSON, errors too'
complete -c agentkeys -l verbose -d 'Say on standard error what happens; doctor then shows every check'
complete -c agentkeys -l wide -d 'Show every column of a table, however narrow the terminal is'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a init -d 'Make an account, bring it back with the recovery key, move it to another broker, or say who you are'
complete -c agentkeys -n '__agentkeys_in init' -l setup-token-file -r -F -d 'File with the broker\'s set-up token; - is standard input'
complete -c agentkeys -n '__agentkeys_in init' -l recovery-key -x -d '- reads the recovery key from standard input, and opens that account here'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a whoami -d 'Say whose session this is and where it is stored'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a approve -d 'Approve the board that shows CODE'
complete -c agentkeys -n '__agentkeys_in approve' -l alias -x -d 'Name for the new agent; default: what the board asks for'
complete -c agentkeys -n '__agentkeys_in approve' -l scope -x -d 'What the new agent may have: a,b, all or none; default: what the board asks for'
complete -c agentkeys -n '__agentkeys_in approve' -l agent -x -d 'The agent that this board shall be again (recovery)'
complete -c agentkeys -n '__agentkeys_in approve' -l yes -d 'Do not ask; needs --scope for a new agent, --agent for a recovery'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a deny -d 'Deny the board that shows CODE'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a pairings -d 'List what was approved and denied'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a agents -d 'List the agents'
complete -c agentkeys -n '__agentkeys_in agents' -l color -x -a 'auto always never' -d 'Colours: auto is on a terminal only; or always, never ($NO_COLOR)'
complete -c agentkeys -n '__agentkeys_in agents' -l offline-ttl -x -d 'How long it may serve without the broker, as 36h or 7d; 0: never'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a store -d 'Store a credential; its value comes from standard input, a prompt or a file'
complete -c agentkeys -n '__agentkeys_in store' -l agent -x -d 'The agent whose wallet takes it; default: your own'
complete -c agentkeys -n '__agentkeys_in store' -l from-file -r -F -d 'Take the value from this file; - is standard input'
complete -c agentkeys -n '__agentkeys_in store' -l exact -d 'Keep the value byte for byte'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a remove -d 'Remove a credential'
complete -c agentkeys -n '__agentkeys_in remove' -l agent -x -d 'The agent; default: your own wallet'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a read -d 'Print a credential'
complete -c agentkeys -n '__agentkeys_in read' -l agent -x -d 'The agent, through the broker'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a list -d 'List the credentials, without their values'
complete -c agentkeys -n '__agentkeys_in list' -l agent -x -d 'The agent, through the broker'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a run -d 'Start a program with credentials in its environment or in files'
complete -c agentkeys -n '__agentkeys_in run' -l env -x -d 'Only these: the value of SERVICE as variable KEY'
complete -c agentkeys -n '__agentkeys_in run' -l files -d 'Put the values into files of a private directory ($CREDENTIALS_DIRECTORY) instead'
complete -c agentkeys -n '__agentkeys_in run' -l agent -x -d 'The agent, through the broker'
complete -c agentkeys -n '__agentkeys_in run' -a '(__agentkeys_program)'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a scope -d 'Show or change which services an agent may have'
complete -c agentkeys -n '__agentkeys_in scope' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in scope' -l set -x -d 'Exactly these: a,b, all or none'
complete -c agentkeys -n '__agentkeys_in scope' -l add -x -d 'These too'
complete -c agentkeys -n '__agentkeys_in scope' -l remove -x -d 'These no more'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a link -d 'Give an agent an alias or an e-mail address'
complete -c agentkeys -n '__agentkeys_in link' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in link' -l alias -x -d 'Its new alias'
complete -c agentkeys -n '__agentkeys_in link' -l email -x -d 'One more e-mail address'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a revoke -d 'End the session of an agent; without IDENTITY, your own'
complete -c agentkeys -n '__agentkeys_in revoke' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in revoke' -l yes -d 'Do not ask'
complete -c agentkeys -n '__agentkeys_in revoke' -l wipe-keys -d 'Your own session: take the owner\'s keys off this machine too; only the recovery key brings them back'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a teardown -d 'End an agent for good, with its credentials'
complete -c agentkeys -n '__agentkeys_in teardown' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in teardown' -l yes -d 'Do not ask'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a reopen -d 'Let an agent go on whose session lapsed'
complete -c agentkeys -n '__agentkeys_in reopen' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in reopen' -l all -d 'Every agent whose session lapsed'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a usage -d 'Show the audit trail'
complete -c agentkeys -n '__agentkeys_in usage' -l agent -x -d 'The same as IDENTITY'
complete -c agentkeys -n '__agentkeys_in usage' -l service -x -d 'Only this service'
complete -c agentkeys -n '__agentkeys_in usage' -l action -x -a 'account_created pairing_opened pairing_approved pairing_denied pairing_expired recovered renewed resumed proof_failed parked reopened revoked torn_down manifest_changed credential_synced access_granted access_denied events_lost' -d 'Only this action, like access_denied'
complete -c agentkeys -n '__agentkeys_in usage' -l since -x -d 'Not older than this: 24h, 2026-01-31, 2026-01-31T12:00:00Z or Unix seconds'
complete -c agentkeys -n '__agentkeys_in usage' -l all -d 'All rows, and the chain verified from the first one'
complete -c agentkeys -n '__agentkeys_in usage' -l accept -d 'Take the trail as it is now, after you restored the broker'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a doctor -d 'Say what is wrong on this machine, and the command that mends it'
complete -c agentkeys -n '__agentkeys_in doctor' -l color -x -a 'auto always never' -d 'Colours: auto is on a terminal only; or always, never ($NO_COLOR)'

complete -c agentkeys -n 'not __agentkeys_command >/dev/null' -a version -d 'Say which build this is'
