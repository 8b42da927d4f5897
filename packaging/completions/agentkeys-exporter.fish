# fish completion for agentkeys-exporter
# Made by `make docs` from the command definitions; do not edit.

# The command that was typed, the values of flags before it aside.
function __agentkeys_exporter_command
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case --web.listen-address --web.config.file --write --aliases --log-level
                set value yes
            case '-*'
            case '*'
                printf '%s\n' $word
                return 0
        end
    end
    return 1
end

function __agentkeys_exporter_in
    set -l command (__agentkeys_exporter_command); and test $command = $argv[1]
end

complete -c agentkeys-exporter -f
complete -c agentkeys-exporter -l help -d 'Say what the program or the command takes'
complete -c agentkeys-exporter -l web.listen-address -x -d 'HOST:PORT or unix:///path; may be repeated'
complete -c agentkeys-exporter -l web.config.file -r -F -d 'TLS and passwords, as for every exporter: see github.com/prometheus/exporter-toolkit'
complete -c agentkeys-exporter -l write -r -F -d 'Write the metrics to FILE once, for node_exporter, and end'
complete -c agentkeys-exporter -l aliases -r -F -d 'Lines of WALLET ALIAS'
complete -c agentkeys-exporter -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error'
complete -c agentkeys-exporter -l json -d 'Print errors as JSON'

complete -c agentkeys-exporter -n 'not __agentkeys_exporter_command >/dev/null' -a version -d 'Say which build this is'
