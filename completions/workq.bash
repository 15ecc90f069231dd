# Completions of workq for bash.

# Sets "value" to what the option "$2" of the subcommand "$1" takes: file, directory, none or words; and
# "isApart" where the value can be the next word.
_workq_value() {
  value='' isApart=yes
  case "$1 $2" in
    'publish -D'|'publish --delimiter') value=none ;;
    'publish -f'|'publish --file') value=file ;;
    'publish --failed-to') value=file ;;
    'publish -H'|'publish --header') value=none ;;
    'publish --priority') value=none ;;
    'publish --ttl') value=none ;;
    'publish --delay') value=none ;;
    'publish -C'|'publish --content-type') value=none ;;
    'publish --content-encoding') value=none ;;
    'publish --message-id') value=none ;;
    'publish --correlation-id') value=none ;;
    'publish --reply-to') value=none ;;
    'publish --type') value=none ;;
    'publish --app-id') value=none ;;
    'publish --user-id') value=none ;;
    'publish -e'|'publish --exchange') value=none ;;
    'publish -r'|'publish --routing-key') value=none ;;
    'publish --confirm-timeout') value=none ;;
    'publish --retry-for') value=none ;;
    'publish --unless-waiting') value=none ;;
    'publish --spool') value=directory isApart='' ;;
    'publish --spool-directory') value=directory ;;
    'work -j'|'work --jobs') value=none ;;
    'work --prefetch'|'work --prefetch-count') value=none ;;
    'work --dot') value=none ;;
    'work --resident') value='jsonl lines null' isApart='' ;;
    'work --window') value=none ;;
    'work --max-tasks') value=none ;;
    'work --batch') value=none ;;
    'work --batch-wait') value=none ;;
    'work --batch-format') value='lines null jsonl' ;;
    'work --output') value='passthrough tagged grouped' ;;
    'work --log') value='text json' ;;
    'work --timeout') value=none ;;
    'work --kill-after') value=none ;;
    'work --max-attempts') value=none ;;
    'work --retry-delay') value=none ;;
    'work --retry-max-delay') value=none ;;
    'work --failed-queue') value=none ;;
    'work --on-failure') value='retry requeue park drop' ;;
    'work --on-exit') value=none ;;
    'work -c'|'work --count') value=none ;;
    'work --idle-timeout') value=none ;;
    'work --max-time') value=none ;;
    'work --grace') value=none ;;
    'work --retry-for') value=none ;;
    'status --watch') value=none isApart='' ;;
    'status --max-waiting') value=none ;;
    'status --min-consumers') value=none ;;
    'status --max-failed') value=none ;;
    'status --retry-delay') value=none ;;
    'status --retry-max-delay') value=none ;;
    'status --delay') value=none ;;
    'failed --failed-queue') value=none ;;
    'retry -c'|'retry --count') value=none ;;
    'retry --id') value=none ;;
    'retry --match') value=none ;;
    'retry --failed-queue') value=none ;;
    'peek -c'|'peek --count') value=none ;;
    'move -c'|'move --count') value=none ;;
    'move --id') value=none ;;
    'move --match') value=none ;;
    'declare --bind') value=none ;;
    'declare --type') value='classic quorum stream' ;;
    'declare --max-length') value=none ;;
    'declare --max-bytes') value=none ;;
    'declare --overflow') value='drop-head reject-publish' ;;
    'declare --message-ttl') value=none ;;
    'declare --expires') value=none ;;
    'declare --dead-letter') value=none isApart='' ;;
    'declare --max-priority') value=none ;;
    'declare --delivery-limit') value=none ;;
    'declare --consumer-timeout') value=none ;;
    'declare --arg') value=none ;;
    'purge --retry-delay') value=none ;;
    'purge --retry-max-delay') value=none ;;
    'purge --delay') value=none ;;
    *' -u'|*' --url'|*' --uri') value=none ;;
    *' --url-file') value=file ;;
    *' --host') value=none ;;
    *' --port') value=none ;;
    *' --vhost') value=none ;;
    *' --username') value=none ;;
    *' --password-file') value=file ;;
    *' --cacert') value=file ;;
    *' --cert') value=file ;;
    *' --key') value=file ;;
    *' --connect-timeout') value=none ;;
    *' --heartbeat') value=none ;;
    *' -q'|*' --queue') value=none ;;
    *' --color') value='auto always never' ;;
  esac
}

# Completes the command that begins with this word.
_workq_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$current"; [ "$1" -lt "$COMP_CWORD" ] || compgen -c -- "$current")
  fi
}

_workq() {
  local current=${COMP_WORDS[COMP_CWORD]} subcommand='' last='' pending='' own='' value isApart word index
  COMPREPLY=()
  # bash takes "=" for a word of its own.
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if [ "$word" = '=' ] && [ -n "$last" ]; then
      pending=$last
    elif [ -n "$pending" ]; then
      pending='' last=''
    elif [ "$word" = -- ]; then
      _workq_command $((index + 1))
      return
    elif [[ $word == -* ]]; then
      _workq_value "$subcommand" "$word"
      last=$word
      [ -z "$value" ] || [ -z "$isApart" ] || pending=$word
    else
      subcommand=${subcommand:-$word} last=''
    fi
  done
  if [ "$current" = '=' ] && [ -n "$last" ]; then pending=$last current=''; fi
  if [ -n "$pending" ]; then
    _workq_value "$subcommand" "$pending"
    case $value in
      none) ;;
      file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      *) mapfile -t COMPREPLY < <(compgen -W "$value" -- "$current") ;;
    esac
    return
  fi
  case $subcommand in
    publish) own='-l --lines -0 --null -D --delimiter --jsonl -f --file --failed-to --persistent --transient -H --header --priority --ttl --delay -C --content-type --content-encoding --message-id --correlation-id --reply-to --type --app-id --user-id -e --exchange -r --routing-key --no-declare --no-confirm --confirm-timeout --retry-for --unless-waiting --print-id --spool --spool-directory --flush-spool' ;;
    work) own='-j --jobs --prefetch --prefetch-count -A --no-ack --auto-ack --fake --dot --shell --argument -I --replace --resident --window --max-tasks --batch --batch-wait --batch-format --pass-url --output --log --timestamps --timeout --kill-after --no-declare --max-attempts --retry-delay --retry-max-delay --failed-queue --on-failure --on-exit -c --count --drain --burst --wait-for-retries --fail-on-retry --idle-timeout --max-time --grace --no-reconnect --retry-for' ;;
    status) own='--watch --max-waiting --min-consumers --max-failed --retry-delay --retry-max-delay --delay' ;;
    failed) own='--list --failed-queue' ;;
    retry) own='-c --count --id --match --keep-attempts --dry-run --failed-queue' ;;
    peek) own='-c --count --list --raw' ;;
    move) own='-c --count --id --match --keep-attempts --dry-run' ;;
    declare) own='--check --bind -d --durable --transient --type --max-length --max-bytes --overflow --message-ttl --expires --dead-letter --max-priority --delivery-limit --single-active-consumer --consumer-timeout --auto-delete --arg' ;;
    purge) own='-f --force --delete --if-empty --if-unused --all --retry-delay --retry-max-delay --delay' ;;
    ''|help)
      [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -W 'publish work status failed retry peek move declare purge help' -- "$current") ;;
  esac
  [[ $current != -* ]] ||
    mapfile -t COMPREPLY < <(compgen -W "$own -u --url --uri --url-file --host --port --vhost --username --password-file --cacert --cert --key -k --insecure --connect-timeout --heartbeat -q --queue -v --verbose --quiet --json --color -h --help -V --version" -- "$current")
}

complete -F _workq workq
