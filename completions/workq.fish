# Completions of workq for fish.

# The subcommand of the line, or "--" behind that.
function __workq_subcommand
    set -l tokens (commandline -opc)
    set -l subcommand ''
    set -l isValue no
    for token in $tokens[2..]
        if test $isValue = yes
            set isValue no
        else if test "$token" = --
            echo -- --
            return
        else if contains -- "$token" -u --url --uri --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat -q --queue --color
            set isValue yes
        else if not string match -q -- '-*' "$token"; and test -z "$subcommand"
            set subcommand "$token"
        end
    end
    echo -- "$subcommand"
end

# What fish has for the command behind "--".
function __workq_command
    set -l tokens (commandline -opc)
    set -l words (string escape -- $tokens[(math (contains -i -- -- $tokens) + 1)..])
    complete --do-complete (string join ' ' -- $words (commandline -ct))
end

# Whether that is one of these.
function __workq_in
    contains -- "$(__workq_subcommand)" $argv
end

complete -c workq -f
complete -c workq -n '__workq_in --' -a '(__workq_command)'
complete -c workq -n '__workq_in "" help' -a publish -d 'Send tasks to a queue'
complete -c workq -n '__workq_in "" help' -a work -d 'Take tasks from a queue and work on them'
complete -c workq -n '__workq_in "" help' -a status -d 'Show how many tasks wait, and how many consumers there are'
complete -c workq -n '__workq_in "" help' -a peek -d 'Show waiting tasks without taking them'
complete -c workq -n '__workq_in "" help' -a move -d 'Send tasks from one queue to another'
complete -c workq -n '__workq_in "" help' -a declare -d 'Make sure that queues exist'
complete -c workq -n '__workq_in "" help' -a purge -d 'Remove the waiting tasks of queues, or the queues'
complete -c workq -n '__workq_in ""' -a help -d 'Print the help of a subcommand'
complete -c workq -n 'not __workq_in --' -s u -l url -l uri -x -d 'URL of the broker'
complete -c workq -n 'not __workq_in --' -l url-file -r -F -d 'Read the URL from the first line of <file>'
complete -c workq -n 'not __workq_in --' -l host -x -d 'Host, instead of the URL\'s'
complete -c workq -n 'not __workq_in --' -l port -x -d 'Port, instead of the URL\'s'
complete -c workq -n 'not __workq_in --' -l vhost -x -d 'Virtual host, instead of the URL\'s'
complete -c workq -n 'not __workq_in --' -l username -x -d 'User to log in as; needs --password-file'
complete -c workq -n 'not __workq_in --' -l password-file -r -F -d 'Read the password from the first line of <file>'
complete -c workq -n 'not __workq_in --' -l cacert -r -F -d 'CA certificates to trust (PEM), instead of the system\'s'
complete -c workq -n 'not __workq_in --' -l cert -r -F -d 'Client certificate (PEM); needs --key'
complete -c workq -n 'not __workq_in --' -l key -r -F -d 'Private key of the client certificate (PEM)'
complete -c workq -n 'not __workq_in --' -s k -l insecure -d 'Do not verify the broker\'s certificate'
complete -c workq -n 'not __workq_in --' -l connect-timeout -x -d 'Maximum time to connect and log in to one node'
complete -c workq -n 'not __workq_in --' -l heartbeat -x -d 'Interval of heartbeats; 0 turns them off'
complete -c workq -n 'not __workq_in --' -s q -l queue -x -d 'The work queue'
complete -c workq -n 'not __workq_in --' -s v -l verbose -d 'Report each step on stderr'
complete -c workq -n 'not __workq_in --' -l quiet -d 'Print errors only'
complete -c workq -n 'not __workq_in --' -l json -d 'Print results as JSON, one object per line'
complete -c workq -n 'not __workq_in --' -l color -x -a 'auto always never' -d 'Colour messages: auto, always or never'
complete -c workq -n 'not __workq_in --' -s h -l help -d 'Print the help'
complete -c workq -n 'not __workq_in --' -s V -l version -d 'Print the versions of workq and rabbitmq-c'
complete -c workq -n '__workq_in publish' -s l -l lines -d 'Read one task from each line'
complete -c workq -n '__workq_in publish' -s 0 -l null -d 'Read tasks that end with a NUL (\'find -print0\')'
complete -c workq -n '__workq_in publish' -s D -l delimiter -x -d 'Read tasks that end with <text>'
complete -c workq -n '__workq_in publish' -l jsonl -d 'Read one JSON object from each line'
complete -c workq -n '__workq_in publish' -s f -l file -r -F -d 'Read <file> instead of stdin; \'-\' is stdin'
complete -c workq -n '__workq_in publish' -l failed-to -r -F -d 'Write records that were not published to <file>'
complete -c workq -n '__workq_in publish' -l persistent -d 'Store the task on the broker\'s disk (the default)'
complete -c workq -n '__workq_in publish' -l transient -d 'Do not store the task: a restart of the broker loses it'
complete -c workq -n '__workq_in publish' -s H -l header -x -d 'Add a header: \'K: V\', K=V or K:=V'
complete -c workq -n '__workq_in publish' -l priority -x -d 'Priority, 0 to 255, in a queue that has priorities'
complete -c workq -n '__workq_in publish' -l ttl -x -d 'Discard the task if it is not delivered in time'
complete -c workq -n '__workq_in publish' -l delay -x -d 'Deliver the task only after this delay'
complete -c workq -n '__workq_in publish' -s C -l content-type -x -d 'MIME type of the body'
complete -c workq -n '__workq_in publish' -l content-encoding -x -d 'Encoding of the body, such as gzip'
complete -c workq -n '__workq_in publish' -l message-id -x -d 'Id of the task'
complete -c workq -n '__workq_in publish' -l correlation-id -x -d 'Id of what the task belongs to'
complete -c workq -n '__workq_in publish' -l reply-to -x -d 'Queue for an answer'
complete -c workq -n '__workq_in publish' -l type -x -d 'Kind of task, for its worker'
complete -c workq -n '__workq_in publish' -l app-id -x -d 'Name of the sending program'
complete -c workq -n '__workq_in publish' -l user-id -x -d 'Name of the sending user'
complete -c workq -n '__workq_in publish' -s e -l exchange -x -d 'Publish to this exchange instead of to the queue'
complete -c workq -n '__workq_in publish' -s r -l routing-key -x -d 'Routing key, with --exchange'
complete -c workq -n '__workq_in publish' -l no-declare -d 'Fail with 78 if the queue is missing; do not create it'
complete -c workq -n '__workq_in publish' -l no-confirm -d 'Do not wait for publisher confirms (tasks may be lost)'
complete -c workq -n '__workq_in publish' -l confirm-timeout -x -d 'Maximum time to wait for a confirm'
complete -c workq -n '__workq_in publish' -l retry-for -x -d 'Keep trying for this long'
complete -c workq -n '__workq_in publish' -l unless-waiting -x -d 'Publish nothing if <n> or more tasks are waiting'
complete -c workq -n '__workq_in publish' -l print-id -d 'Print the id of each task that was published'
complete -c workq -n '__workq_in publish' -l spool -a '(__fish_complete_directories)' -d 'Store tasks on disk while no broker is reachable'
complete -c workq -n '__workq_in publish' -l spool-directory -x -a '(__fish_complete_directories)' -d 'The same as --spool=<dir>'
complete -c workq -n '__workq_in publish' -l flush-spool -d 'Only send the tasks in the spool'
complete -c workq -n '__workq_in work' -s j -l jobs -x -d 'Number of tasks to run in parallel'
complete -c workq -n '__workq_in work' -l prefetch -l prefetch-count -x -d 'Maximum unacknowledged tasks; 0 means unlimited'
complete -c workq -n '__workq_in work' -s A -l no-ack -l auto-ack -d 'Acknowledge tasks on delivery (a crash loses them)'
complete -c workq -n '__workq_in work' -l fake -d 'Fake the work: a second for each dot'
complete -c workq -n '__workq_in work' -l dot -x -d 'Duration of faked work for each dot'
complete -c workq -n '__workq_in work' -l shell -d 'Run each task\'s body with \'sh -c\''
complete -c workq -n '__workq_in work' -l argument -d 'Append the body to the command as an argument'
complete -c workq -n '__workq_in work' -s I -l replace -d 'Replace {} in arguments by the body'
complete -c workq -n '__workq_in work' -l pass-url -d 'Leave the broker\'s URL in the command\'s environment'
complete -c workq -n '__workq_in work' -l output -x -a 'passthrough tagged grouped' -d 'Output mode: passthrough, tagged or grouped'
complete -c workq -n '__workq_in work' -l log -x -a 'text json' -d 'Format of the worker\'s own lines on stderr: text or json'
complete -c workq -n '__workq_in work' -l timeout -x -d 'Maximum time for a task, then TERM'
complete -c workq -n '__workq_in work' -l kill-after -x -d 'Time from TERM until KILL'
complete -c workq -n '__workq_in work' -l no-declare -d 'Fail with 78 if the queue is missing; do not create it'
complete -c workq -n '__workq_in work' -l max-attempts -x -d 'Maximum attempts before a task is parked'
complete -c workq -n '__workq_in work' -l retry-delay -x -d 'First retry delay; doubles with each attempt'
complete -c workq -n '__workq_in work' -l retry-max-delay -x -d 'Maximum delay before a retry'
complete -c workq -n '__workq_in work' -l failed-queue -x -d 'Queue for parked tasks'
complete -c workq -n '__workq_in work' -l on-failure -x -a 'retry requeue park drop' -d 'Action after a failure: retry, requeue, park or drop'
complete -c workq -n '__workq_in work' -l on-exit -x -d 'Action after an exit status'
complete -c workq -n '__workq_in work' -s c -l count -x -d 'Exit after this number of tasks'
complete -c workq -n '__workq_in work' -l drain -l burst -d 'Exit when no task waits and none runs'
complete -c workq -n '__workq_in work' -l idle-timeout -x -d 'Exit after this time without a task'
complete -c workq -n '__workq_in work' -l max-time -x -d 'Take no more tasks after this time'
complete -c workq -n '__workq_in work' -l grace -x -d 'Maximum time for running tasks after a signal'
complete -c workq -n '__workq_in work' -l no-reconnect -d 'Exit with 69 when the connection is lost'
complete -c workq -n '__workq_in work' -l retry-for -x -d 'Exit with 69 if the broker is unreachable for this long'
complete -c workq -n '__workq_in status' -l watch -d 'Look again after this time, until Ctrl-C'
complete -c workq -n '__workq_in status' -l max-waiting -x -d 'Exit with 75 if more tasks wait in a queue'
complete -c workq -n '__workq_in status' -l min-consumers -x -d 'Exit with 75 if a queue has fewer consumers'
complete -c workq -n '__workq_in status' -l retry-delay -x -d 'First retry delay of the queue\'s workers'
complete -c workq -n '__workq_in status' -l retry-max-delay -x -d 'Longest retry delay of the queue\'s workers'
complete -c workq -n '__workq_in status' -l delay -x -d 'A delay that tasks were published with'
complete -c workq -n '__workq_in peek' -s c -l count -x -d 'Maximum number of tasks to show'
complete -c workq -n '__workq_in peek' -l raw -d 'Write the first body to stdout, byte for byte'
complete -c workq -n '__workq_in move' -s c -l count -x -d 'Maximum number of tasks to move'
complete -c workq -n '__workq_in move' -l match -x -d 'Move only tasks with this header'
complete -c workq -n '__workq_in move' -l keep-attempts -d 'Keep headers about attempts and failures'
complete -c workq -n '__workq_in declare' -l check -d 'Declare nothing; exit with 78 if one is missing'
complete -c workq -n '__workq_in declare' -l bind -x -d 'Bind the queue to this exchange with this key'
complete -c workq -n '__workq_in declare' -s d -l durable -d 'Survive a restart of the broker (the default)'
complete -c workq -n '__workq_in declare' -l transient -d 'Do not survive a restart of the broker'
complete -c workq -n '__workq_in declare' -l type -x -a 'classic quorum stream' -d 'Type: classic, quorum or stream'
complete -c workq -n '__workq_in declare' -l max-length -x -d 'Maximum number of waiting tasks'
complete -c workq -n '__workq_in declare' -l max-bytes -x -d 'Maximum size of the waiting tasks\' bodies, such as 64k or 16M'
complete -c workq -n '__workq_in declare' -l overflow -x -a 'drop-head reject-publish' -d 'When full: drop-head or reject-publish'
complete -c workq -n '__workq_in declare' -l message-ttl -x -d 'Expire tasks after this time'
complete -c workq -n '__workq_in declare' -l expires -x -d 'Delete the queue, with its tasks, when unused for this long'
complete -c workq -n '__workq_in declare' -l dead-letter -d 'Dead-letter refused and expired tasks to <queue>'
complete -c workq -n '__workq_in declare' -l max-priority -x -d 'Deliver tasks by priority, from 0 to <n>'
complete -c workq -n '__workq_in declare' -l delivery-limit -x -d 'Maximum returns of a task before it is dropped or dead-lettered'
complete -c workq -n '__workq_in declare' -l single-active-consumer -d 'Deliver to one consumer at a time; the others stand by'
complete -c workq -n '__workq_in declare' -l consumer-timeout -x -d 'Maximum time for which a worker can hold a task'
complete -c workq -n '__workq_in declare' -l auto-delete -d 'Delete the queue when its last consumer is gone'
complete -c workq -n '__workq_in declare' -l arg -x -d 'Any other argument: x-name=text or x-name:=5'
complete -c workq -n '__workq_in purge' -s f -l force -d 'Do not ask'
complete -c workq -n '__workq_in purge' -l delete -d 'Delete the queue, too'
complete -c workq -n '__workq_in purge' -l if-empty -d 'Delete the queue only if no task waits in it'
complete -c workq -n '__workq_in purge' -l if-unused -d 'Delete the queue only if it has no consumers'
complete -c workq -n '__workq_in purge' -l all -d 'Delete its retry and delay queues, too'
complete -c workq -n '__workq_in purge' -l retry-delay -x -d 'First retry delay of the queue\'s workers'
complete -c workq -n '__workq_in purge' -l retry-max-delay -x -d 'Longest retry delay of the queue\'s workers'
complete -c workq -n '__workq_in purge' -l delay -x -d 'A delay that tasks were published with'
