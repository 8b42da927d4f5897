# fish completion for agentkeys-broker
# Made by `make docs` from the command definitions; do not edit.

# The command that was typed, the values of flags before it aside.
function __agentkeys_broker_command
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case '-*'
            case '*'
                printf '%s\n' $word
                return 0
        end
    end
    return 1
end

function __agentkeys_broker_in
    set -l command (__agentkeys_broker_command); and test $command = $argv[1]
end

complete -c agentkeys-broker -f
complete -c agentkeys-broker -l help -d 'Say what the program or the command takes'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a serve -d 'Run the broker'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l listen -x -d 'host:port or unix:///path; port 0 picks a free one (default 127.0.0.1:8420)'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls -x -a 'self-signed' -d 'TLS by a key of its own in DIR/tls-key.pem; the printed URL holds the key\'s pin, and clients believe no other key'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls-cert -r -F -d 'TLS by a certificate that an authority signed: the chain, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls-key -r -F -d 'Its key, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l url-host -x -d 'The host in the printed URL, as other machines reach it (default: what --listen names, or this machine\'s name)'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l insecure-http -d 'Plain HTTP on any address: only behind a proxy that speaks TLS'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l trusted-proxy -x -d 'Whose X-Forwarded-For counts; may be repeated'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l metrics-listen -x -d '/metrics, /livez and /readyz on an address of their own'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l log-level -x -a 'debug info warn error' -d 'debug, info, warn, error (default info)'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l log-format -x -a 'text json' -d 'text or json (default text)'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a reload -d 'Check the options of serve that stand behind it, and the files of the certificate, and give the log level to the broker that serves; what is left out stays as it is'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a setup-token -d 'Write a set-up token for one more owner to DIR/setup-token'
complete -c agentkeys-broker -n '__agentkeys_broker_in setup-token' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a backup -d 'Write all of it to a new FILE, while the broker serves'
complete -c agentkeys-broker -n '__agentkeys_broker_in backup' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'
complete -c agentkeys-broker -n '__agentkeys_broker_in backup' -F

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a restore -d 'Put a backup in place, while it does not; agents then wait for their owner\'s next command'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -l replace -d 'Though DIR holds accounts; the database there stays beside it'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -F

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a clock -d 'The clock is right: let sessions lapse by it again'
complete -c agentkeys-broker -n '__agentkeys_broker_in clock' -l accept -d 'The clock is right: let sessions lapse by it again'
complete -c agentkeys-broker -n '__agentkeys_broker_in clock' -l data -x -a '(__fish_complete_directories)' -d 'Where everything is kept; made with mode 0700'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a version -d 'Say which build this is'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a help -d 'Say what there is'
