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
            __workq_parse_subcommand -r 1 'l/lines' '0/null' 'D/delimiter=' 'jsonl' 'f/file=+' 'failed-to=' 'persistent' 'transient' 'H/header=+' 'priority=' 'ttl=' 'delay=' 'C/content-type=' 'content-encoding=' 'message-id=' 'correlation-id=' 'reply-to=' 'type=' 'app-id=' 'user-id=' 'e/exchange=' 'r/routing-key=' 'no-declare' 'no-confirm' 'confirm-timeout=' 'retry-for=' 'unless-waiting=' 'print-id' 'spool' 'spool-directory=' 'flush-spool' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'work'
            __workq_parse_subcommand -r 1 'j/jobs=' 'prefetch=' 'A/no-ack' 'dot=' 'shell' 'argument' 'pass-url' 'output=' 'log=' 'timeout=' 'kill-after=' 'no-declare' 'max-attempts=' 'retry-delay=' 'retry-max-delay=' 'failed-queue=' 'on-failure=' 'on-exit=+' 'c/count=' 'drain' 'idle-timeout=' 'max-time=' 'grace=' 'no-reconnect' 'retry-for=' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'status'
            __workq_parse_subcommand -r 1 'watch=' 'max-waiting=' 'min-consumers=' 'retry-delay=' 'retry-max-delay=' 'delay=+' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'peek'
            __workq_parse_subcommand 1 'c/count=' 'raw' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'move'
            __workq_parse_subcommand 2 'c/count=' 'match=+' 'keep-attempts' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'declare'
            __workq_parse_subcommand -r 1 'check' 'bind=+' 'd/durable' 'transient' 'type=' 'max-length=' 'max-bytes=' 'overflow=' 'message-ttl=' 'expires=' 'dead-letter=' 'max-priority=' 'delivery-limit=' 'single-active-consumer' 'consumer-timeout=' 'auto-delete' 'arg=+' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
        case 'purge'
            __workq_parse_subcommand -r 1 'f/force' 'delete' 'if-empty' 'if-unused' 'all' 'retry-delay=' 'retry-max-delay=' 'delay=+' 'u/url=+' 'url-file=' 'host=' 'port=' 'vhost=' 'username=' 'password-file=' 'cacert=' 'cert=' 'key=' 'k/insecure' 'connect-timeout=' 'heartbeat=' 'q/queue=' 'v/verbose' 'quiet' 'json' 'color=' 'version' 'h/help'
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
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'status' -d 'Show how many tasks wait, and who works on them.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'peek' -d 'Look at waiting tasks without taking them.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'move' -d 'Send tasks from one queue to another.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'declare' -d 'Make sure that queues exist.'
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq" -eq 1' -fa 'purge' -d 'Remove the waiting tasks of queues, or the queues.'
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
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" ttl' -l 'ttl' -d 'Discard the task if it has not been delivered within this time. Excludes --delay.' -rfka ''
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
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" retry-for' -l 'retry-for' -d 'Keep trying for this long while the broker is unreachable or refuses for now, or a queue is full; 0 is not at all.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" unless-waiting' -l 'unless-waiting' -d 'Publish nothing, and exit with 0, when n or more tasks wait already, in the spool or for --delay, too.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" print-id' -l 'print-id' -d 'Write the id of each published task to stdout.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" spool' -l 'spool' -d 'Keep tasks on disk while the broker is away, and send what is kept first. --spool=DIR keeps it there.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" spool-directory' -l 'spool-directory' -d 'The same as --spool=DIR.' -rfa '(__workq_complete_directories)'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" flush-spool' -l 'flush-spool' -d 'Only send what is kept.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq publish" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
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
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" j jobs' -l 'jobs' -s 'j' -d 'Work on so many tasks side by side.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" prefetch prefetch-count' -l 'prefetch' -l 'prefetch-count' -d 'Hold so many unfinished tasks at most; 0 is no limit. (default: as many as jobs)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" A auto-ack no-ack' -s 'A' -l 'no-ack' -l 'auto-ack' -d 'Have the broker forget a task when it hands it out: a killed worker loses it.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" dot' -l 'dot' -d 'Fake the work so long for each dot.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" shell' -l 'shell' -d 'Run each task with \'sh -c\'. Whoever can publish to the queue can do anything then.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" argument' -l 'argument' -d 'Append the task to the command as its last argument; it must be UTF-8 without NUL.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" pass-url' -l 'pass-url' -d 'Leave the broker\'s URL in the command\'s environment, for one that publishes itself.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" output' -l 'output' -d 'Keep the commands\' output apart: let it through, tag each line with the task\'s number, or show it when a task ends. (default: passthrough for one job, grouped for more)' -rfka 'passthrough tagged grouped'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" log' -l 'log' -d 'Write the worker\'s own lines on stderr as text, or as JSON, one object per line.' -rfka 'text json'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" timeout' -l 'timeout' -d 'End a task that takes longer: TERM to its processes.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" kill-after' -l 'kill-after' -d 'Then KILL them if they take longer to end.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" no-declare' -l 'no-declare' -d 'Fail with 78 when the queue is missing; do not make it.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" max-attempts' -l 'max-attempts' -d 'Park a task after so many attempts; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" retry-delay' -l 'retry-delay' -d 'Let the first retry wait so long, each further one twice as long.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" retry-max-delay' -l 'retry-max-delay' -d 'But none longer than this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" failed-queue' -l 'failed-queue' -d 'Where tasks go that are not tried again. (default: the queue\'s name and \'.failed\')' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" on-failure' -l 'on-failure' -d 'What a failure means: retry, requeue, park or drop.' -rfka 'ack retry requeue park drop'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work"' -l 'on-exit' -d 'What an exit status means: ack, retry, requeue, park or drop. Repeat it for more.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" c count' -l 'count' -s 'c' -d 'Leave after so many tasks.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" burst drain' -l 'drain' -l 'burst' -d 'Leave as soon as nothing waits and nothing runs.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" idle-timeout' -l 'idle-timeout' -d 'Leave after so long without a task; with --drain: wait for own retries that are due by then.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" max-time' -l 'max-time' -d 'Take no more tasks after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" grace' -l 'grace' -d 'After the first signal, give running tasks so long, then end them and give them back.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" no-reconnect' -l 'no-reconnect' -d 'Leave with 69 when the connection is lost.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" retry-for' -l 'retry-for' -d 'Leave with 69 when the broker has been away for so long. (default: never, but at the start)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
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
complete -c 'workq' -n '__workq_should_offer_completions_for_positional "workq work" -ge 1' -F
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq work" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" watch' -l 'watch' -d 'Look again after this, until Ctrl-C.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" max-waiting' -l 'max-waiting' -d 'Exit with 75, and a line, when more tasks wait in a queue.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" min-consumers' -l 'min-consumers' -d 'Exit with 75, and a line, when a queue has fewer consumers.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" retry-delay' -l 'retry-delay' -d 'What the queue\'s workers wait before the first retry.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" retry-max-delay' -l 'retry-max-delay' -d 'What they wait at most.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status"' -l 'delay' -d 'A delay that tasks were published with; repeat it for others.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" c count' -l 'count' -s 'c' -d 'Look at so many tasks at most.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" raw' -l 'raw' -d 'Write the first body to stdout, byte for byte, and nothing else.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq peek" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" c count' -l 'count' -s 'c' -d 'Move so many at most; otherwise all that wait at the start.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move"' -l 'match' -d 'Move only tasks with this header; the others stay in their places. Repeat it: all must match.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" keep-attempts' -l 'keep-attempts' -d 'Let tasks remember how often they were tried, and why they failed.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" cacert' -l 'cacert' -d 'Trust these authorities (PEM) with amqps:// instead of the system\'s.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" cert' -l 'cert' -d 'Show the broker this certificate (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" key' -l 'key' -d 'The certificate\'s key (PEM).' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" insecure k' -s 'k' -l 'insecure' -d 'Do not verify the broker\'s certificate.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" connect-timeout' -l 'connect-timeout' -d 'Give up an attempt to connect and log in after this.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" heartbeat' -l 'heartbeat' -d 'Exchange heartbeats with the broker this often; 0 is never.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" q queue' -l 'queue' -s 'q' -d 'The work queue. [environment: WORKQ_QUEUE] (default: task_queue)' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" v verbose' -l 'verbose' -s 'v' -d 'Say what is done, step by step, on stderr.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" quiet' -l 'quiet' -d 'Say nothing but errors.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" json' -l 'json' -d 'Write results as JSON, one object per line.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" color' -l 'color' -d 'Colour messages. [environment: NO_COLOR]' -rfka 'auto always never'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" version' -l 'version' -d 'Show the version.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq move" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" check' -l 'check' -d 'Declare nothing; exit with 78 when a queue is missing.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare"' -l 'bind' -d 'Have this exchange route messages with this key there, too.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" d durable' -s 'd' -l 'durable' -d 'It survives a restart of the broker (a new one does anyway).'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" transient' -l 'transient' -d 'It does not.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" type' -l 'type' -d 'Its type.' -rfka 'classic quorum stream'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" max-length' -l 'max-length' -d 'It holds so many tasks at most.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" max-bytes' -l 'max-bytes' -d 'It holds so many bytes at most: 512, 64k, 16M.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" overflow' -l 'overflow' -d 'What happens when it is full.' -rfka 'drop-head reject-publish'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" message-ttl' -l 'message-ttl' -d 'A task that waits longer is dropped, or dead.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" expires' -l 'expires' -d 'It is deleted when nobody used it for so long.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" dead-letter' -l 'dead-letter' -d 'Rejected, expired and surplus tasks go to this queue, which is made as well.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" max-priority' -l 'max-priority' -d 'It sorts by priority, from 0 to this; 10 is plenty.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" delivery-limit' -l 'delivery-limit' -d 'A task given back so often is dropped, or dead (quorum queues).' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" single-active-consumer' -l 'single-active-consumer' -d 'One consumer at a time gets tasks; the others stand by.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" consumer-timeout' -l 'consumer-timeout' -d 'A worker may hold a task for so long (RabbitMQ 3.12).' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" auto-delete' -l 'auto-delete' -d 'It is deleted when its last consumer leaves.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare"' -l 'arg' -d 'Any other argument: x-name=text, or x-name:=5 for a number, true or false.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq declare" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
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
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" delete' -l 'delete' -d 'Remove the queue, too.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" if-empty' -l 'if-empty' -d 'Only delete a queue in which no task waits.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" if-unused' -l 'if-unused' -d 'Only delete a queue that nobody consumes.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" all' -l 'all' -d 'With --delete: also delete the queue\'s retry and delay queues.'
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" retry-delay' -l 'retry-delay' -d 'First retry delay of the queue\'s workers.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" retry-max-delay' -l 'retry-max-delay' -d 'Longest retry delay of the queue\'s workers.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge"' -l 'delay' -d 'A delay that tasks were published with. Repeatable.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge"' -s 'u' -l 'url' -l 'uri' -d 'The broker. Repeat it, or separate with commas, for a cluster\'s nodes: they are tried in turn.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" url-file' -l 'url-file' -d 'Read the URL from the first line of a file that only its owner can read.' -rF
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" host' -l 'host' -d 'Use this host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" port' -l 'port' -d 'Use this port instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" vhost' -l 'vhost' -d 'Use this virtual host instead of the URL\'s.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" username' -l 'username' -d 'Log in as this user; needs --password-file.' -rfka ''
complete -c 'workq' -n '__workq_should_offer_completions_for_flags_or_options "workq purge" password-file' -l 'password-file' -d 'Read the password from such a file.' -rF
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
