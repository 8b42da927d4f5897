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
complete -c agentkeys-broker -l json -d 'Print JSON, errors too'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a serve -d 'Run the broker'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l listen -x -d 'HOST:PORT or unix:///path; port 0 picks a free one'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls -x -a 'self-signed' -d 'TLS by a key of its own in DIR/tls-key.pem'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls-cert -r -F -d 'TLS by a certificate that an authority signed: the chain, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l tls-key -r -F -d 'The certificate\'s key, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l url-host -x -d 'The host in the printed URL, as other machines reach it'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l insecure-http -d 'Plain HTTP on any address: only behind a proxy that speaks TLS'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l trusted-proxy -x -d 'Whose X-Forwarded-For counts; may be repeated'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l metrics-listen -x -d '/metrics, /livez and /readyz on an address of their own'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error'
complete -c agentkeys-broker -n '__agentkeys_broker_in serve' -l log-format -x -a 'text json' -d 'text or json'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a reload -d 'Check these options of serve and the files of the certificate, and give the log level to the broker that serves DIR'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l listen -x -d 'HOST:PORT or unix:///path; port 0 picks a free one'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l tls -x -a 'self-signed' -d 'TLS by a key of its own in DIR/tls-key.pem'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l tls-cert -r -F -d 'TLS by a certificate that an authority signed: the chain, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l tls-key -r -F -d 'The certificate\'s key, PEM'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l url-host -x -d 'The host in the printed URL, as other machines reach it'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l insecure-http -d 'Plain HTTP on any address: only behind a proxy that speaks TLS'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l trusted-proxy -x -d 'Whose X-Forwarded-For counts; may be repeated'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l metrics-listen -x -d '/metrics, /livez and /readyz on an address of their own'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error'
complete -c agentkeys-broker -n '__agentkeys_broker_in reload' -l log-format -x -a 'text json' -d 'text or json'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a setup-token -d 'Write a set-up token for one more owner to DIR/setup-token'
complete -c agentkeys-broker -n '__agentkeys_broker_in setup-token' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a backup -d 'Write all of it to a new FILE, also while the broker serves'
complete -c agentkeys-broker -n '__agentkeys_broker_in backup' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'
complete -c agentkeys-broker -n '__agentkeys_broker_in backup' -F

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a restore -d 'Put a backup in place, while no broker serves DIR'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -l replace -d 'Though DIR holds accounts; the database there is kept under another name'
complete -c agentkeys-broker -n '__agentkeys_broker_in restore' -F

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a clock -d 'Say that the clock of this machine is right, after a jump: sessions lapse by it again'
complete -c agentkeys-broker -n '__agentkeys_broker_in clock' -l data -x -a '(__fish_complete_directories)' -d 'Where the broker keeps everything'
complete -c agentkeys-broker -n '__agentkeys_broker_in clock' -l accept -d 'The clock is right'

complete -c agentkeys-broker -n 'not __agentkeys_broker_command >/dev/null' -a version -d 'Say which build this is'
