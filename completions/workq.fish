function __workq_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __workq_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __workq_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __workq_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __workq_parse_tokens -S
    set -l unparsed_tokens (__workq_tokens -pc)
    switch $unparsed_tokens[1]
    case 'workq'
        __workq_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'publish'
            __workq_parse_subcommand -r 1 'l/lines' '0/null' 'D/delimiter=' 'jsonl' 'f/file=+' 'failed-to=' 'persistent' 'transient' 'H/header=+' 'priority=' 'ttl=' 'delay=' 'C/content-type=' 'content-encoding=' 'message-id=' 'correlation-id=' 'reply-to=' 'type=' 'app-id=' 'user-id=' 'e/exchange=' 'r/routing-key=' 'no-declare' 'no-confirm' 'confirm-timeout=' 'retry-for=' 'unless-waiting=' 'print-id' 'spool' 'spool-directory=' 'flush-spool' 'u/url=+' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'work'
            __workq_parse_subcommand 0 'prefetch=' 'A/no-ack' 'dot=' 'no-declare' 'u/url=+' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'declare'
            __workq_parse_subcommand -r 1 'd/durable' 'transient' 'check' 'u/url=+' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'purge'
            __workq_parse_subcommand -r 1 'f/force' 'u/url=+' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'help'
            __workq_parse_subcommand -r 1 'version'
        end
    end
end

function __workq_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __workq_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __workq_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __workq_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__workq_tokens -p)
    if test -z "$(__workq_tokens -t)"
        set -l index (count (__workq_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'workq' -f
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'publish' -d 'Send tasks to the queue.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'work' -d 'Take tasks from the queue and work on them.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'declare' -d 'Make sure that queues exist.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'purge' -d 'Remove the waiting tasks of queues.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" l lines' -l 'lines' -s 'l' -d 'Read one task from each line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" 0 null' -s '0' -l 'null' -d 'Read tasks that end with a NUL, as find -print0 writes them.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" D delimiter' -s 'D' -l 'delimiter' -d 'Read tasks that end with this text; it may hold \\n, \\t, \\r, \\0, \\\\ and \\xHH.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" jsonl' -l 'jsonl' -d 'Read one JSON object from each line: \'body\' or \'body_base64\', and properties by their long names.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish"' -l 'file' -s 'f' -d 'Read this file instead of stdin; \'-\' is stdin. Repeatable.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" failed-to' -l 'failed-to' -d 'Write the records that were not published to a file, ready to be published again.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" persistent' -l 'persistent' -d 'Have the broker keep the task on its disk. (default)'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" transient' -l 'transient' -d 'Let the task be lost when the broker restarts.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish"' -s 'H' -l 'header' -d 'Add a header: \'K: V\' or K=V is text; K:=V is a number, true or false. Repeatable.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" priority' -l 'priority' -d 'Go before tasks of less priority, in a queue that has them.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" ttl' -l 'ttl' -d 'Let the task expire when it has waited so long.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" delay' -l 'delay' -d 'Have the broker hold the task back so long.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" C content-type' -s 'C' -l 'content-type' -d 'The body\'s MIME type.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" content-encoding' -l 'content-encoding' -d 'The body\'s encoding, such as gzip.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" message-id' -l 'message-id' -d 'The task\'s id. (default: a new UUID for each)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" correlation-id' -l 'correlation-id' -d 'What the task belongs to.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" reply-to' -l 'reply-to' -d 'Where an answer is to go.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" type' -l 'type' -d 'The kind of task, for its worker.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" app-id' -l 'app-id' -d 'The program that sends it.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" user-id' -l 'user-id' -d 'The user that sends it: the broker takes only the one logged in.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" e exchange' -l 'exchange' -s 'e' -d 'Publish to this exchange instead of straight to the queue.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" r routing-key' -l 'routing-key' -s 'r' -d 'The routing key, with --exchange.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" no-declare' -l 'no-declare' -d 'Fail with 78 when the queue is missing; do not make it.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" no-confirm' -l 'no-confirm' -d 'Do not wait until the broker has taken responsibility: a crash of it may lose tasks.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" confirm-timeout' -l 'confirm-timeout' -d 'Wait so long for the broker to confirm a task, then exit with 75.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" retry-for' -l 'retry-for' -d 'Keep trying so long while the broker is away; 0 is not at all.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" unless-waiting' -l 'unless-waiting' -d 'Publish nothing, and exit with 0, when n or more tasks wait already.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" print-id' -l 'print-id' -d 'Write the id of each published task to stdout.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" spool' -l 'spool' -d 'Keep tasks on disk while the broker is away, and send what is kept first. --spool=DIR keeps it there.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" spool-directory' -l 'spool-directory' -d 'The same as --spool=DIR.' -rfa '(__workq_complete_directories)'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" flush-spool' -l 'flush-spool' -d 'Only send what is kept.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" password-file' -l 'password-file' -d 'Read the password from the first line of a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" prefetch prefetch-count' -l 'prefetch' -l 'prefetch-count' -d 'Hold so many unfinished tasks at most; 0 is no limit.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" A auto-ack no-ack' -s 'A' -l 'no-ack' -l 'auto-ack' -d 'Have the broker forget a task when it hands it out: a killed worker loses it.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" dot' -l 'dot' -d 'Work so long for each dot.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" no-declare' -l 'no-declare' -d 'Fail with 78 when the queue is missing; do not make it.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" password-file' -l 'password-file' -d 'Read the password from the first line of a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" d durable' -s 'd' -l 'durable' -d 'Insist that the queue survives a restart of the broker (a new one does anyway).'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" transient' -l 'transient' -d 'Insist that it does not.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" check' -l 'check' -d 'Declare nothing; exit with 78 when a queue is missing.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" password-file' -l 'password-file' -d 'Read the password from the first line of a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" f force' -l 'force' -s 'f' -d 'Do not ask.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" password-file' -l 'password-file' -d 'Read the password from the first line of a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq help" version' -l 'version' -d 'Show the version.'
