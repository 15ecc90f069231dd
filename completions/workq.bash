#!/bin/bash

__workq_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__workq_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__workq_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__workq_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_workq() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __workq_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    publish|work|status|peek|move|declare|purge|help)
        # Offer subcommand argument completions
        "_workq_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'publish work status peek move declare purge help' -- "${cur}"))
        ;;
    esac
}

_workq_publish() {
    repeating_flags=()
    non_repeating_flags=(--lines -l -0 --null --jsonl --persistent --transient --no-declare --no-confirm --print-id --spool --flush-spool -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--file -f -H --header -u --url --uri)
    non_repeating_options=(-D --delimiter --failed-to --priority --ttl --delay -C --content-type --content-encoding --message-id --correlation-id --reply-to --type --app-id --user-id --exchange -e --routing-key -r --confirm-timeout --retry-for --unless-waiting --spool-directory --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '-D'|'--delimiter')
        return
        ;;
    '--file'|'-f')
        __workq_add_completions -f
        return
        ;;
    '--failed-to')
        __workq_add_completions -f
        return
        ;;
    '-H'|'--header')
        return
        ;;
    '--priority')
        return
        ;;
    '--ttl')
        return
        ;;
    '--delay')
        return
        ;;
    '-C'|'--content-type')
        return
        ;;
    '--content-encoding')
        return
        ;;
    '--message-id')
        return
        ;;
    '--correlation-id')
        return
        ;;
    '--reply-to')
        return
        ;;
    '--type')
        return
        ;;
    '--app-id')
        return
        ;;
    '--user-id')
        return
        ;;
    '--exchange'|'-e')
        return
        ;;
    '--routing-key'|'-r')
        return
        ;;
    '--confirm-timeout')
        return
        ;;
    '--retry-for')
        return
        ;;
    '--unless-waiting')
        return
        ;;
    '--spool-directory')
        __workq_add_completions -d
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_work() {
    repeating_flags=()
    non_repeating_flags=(-A --no-ack --auto-ack --shell --argument --pass-url --no-declare --drain --burst --no-reconnect -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--on-exit -u --url --uri)
    non_repeating_options=(--jobs -j --prefetch --prefetch-count --dot --output --log --timeout --kill-after --max-attempts --retry-delay --retry-max-delay --failed-queue --on-failure --count -c --idle-timeout --max-time --grace --retry-for --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--jobs'|'-j')
        return
        ;;
    '--prefetch'|'--prefetch-count')
        return
        ;;
    '--dot')
        return
        ;;
    '--output')
        __workq_add_completions -W 'passthrough'$'\n''tagged'$'\n''grouped'
        return
        ;;
    '--log')
        __workq_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--timeout')
        return
        ;;
    '--kill-after')
        return
        ;;
    '--max-attempts')
        return
        ;;
    '--retry-delay')
        return
        ;;
    '--retry-max-delay')
        return
        ;;
    '--failed-queue')
        return
        ;;
    '--on-failure')
        __workq_add_completions -W 'ack'$'\n''retry'$'\n''requeue'$'\n''park'$'\n''drop'
        return
        ;;
    '--on-exit')
        return
        ;;
    '--count'|'-c')
        return
        ;;
    '--idle-timeout')
        return
        ;;
    '--max-time')
        return
        ;;
    '--grace')
        return
        ;;
    '--retry-for')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __workq_add_completions -f
        return
        ;;
    esac
}

_workq_status() {
    repeating_flags=()
    non_repeating_flags=(-k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--delay -u --url --uri)
    non_repeating_options=(--watch --max-waiting --min-consumers --retry-delay --retry-max-delay --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--watch')
        return
        ;;
    '--max-waiting')
        return
        ;;
    '--min-consumers')
        return
        ;;
    '--retry-delay')
        return
        ;;
    '--retry-max-delay')
        return
        ;;
    '--delay')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_peek() {
    repeating_flags=()
    non_repeating_flags=(--raw -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(-u --url --uri)
    non_repeating_options=(--count -c --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--count'|'-c')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_move() {
    repeating_flags=()
    non_repeating_flags=(--keep-attempts -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--match -u --url --uri)
    non_repeating_options=(--count -c --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--count'|'-c')
        return
        ;;
    '--match')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_declare() {
    repeating_flags=()
    non_repeating_flags=(--check -d --durable --transient --single-active-consumer --auto-delete -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--bind --arg -u --url --uri)
    non_repeating_options=(--type --max-length --max-bytes --overflow --message-ttl --expires --dead-letter --max-priority --delivery-limit --consumer-timeout --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--bind')
        return
        ;;
    '--type')
        __workq_add_completions -W 'classic'$'\n''quorum'$'\n''stream'
        return
        ;;
    '--max-length')
        return
        ;;
    '--max-bytes')
        return
        ;;
    '--overflow')
        __workq_add_completions -W 'drop-head'$'\n''reject-publish'
        return
        ;;
    '--message-ttl')
        return
        ;;
    '--expires')
        return
        ;;
    '--dead-letter')
        return
        ;;
    '--max-priority')
        return
        ;;
    '--delivery-limit')
        return
        ;;
    '--consumer-timeout')
        return
        ;;
    '--arg')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_purge() {
    repeating_flags=()
    non_repeating_flags=(--force -f --delete --if-empty --if-unused --all -k --insecure --verbose -v --quiet --json --version -h --help)
    repeating_options=(--delay -u --url --uri)
    non_repeating_options=(--retry-delay --retry-max-delay --url-file --host --port --vhost --username --password-file --cacert --cert --key --connect-timeout --heartbeat --queue -q --color)
    __workq_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--retry-delay')
        return
        ;;
    '--retry-max-delay')
        return
        ;;
    '--delay')
        return
        ;;
    '-u'|'--url'|'--uri')
        return
        ;;
    '--url-file')
        __workq_add_completions -f
        return
        ;;
    '--host')
        return
        ;;
    '--port')
        return
        ;;
    '--vhost')
        return
        ;;
    '--username')
        return
        ;;
    '--password-file')
        __workq_add_completions -f
        return
        ;;
    '--cacert')
        __workq_add_completions -f
        return
        ;;
    '--cert')
        __workq_add_completions -f
        return
        ;;
    '--key')
        __workq_add_completions -f
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--heartbeat')
        return
        ;;
    '--queue'|'-q')
        return
        ;;
    '--color')
        __workq_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_workq_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __workq_offer_flags_options -1
}

complete -o filenames -F _workq workq
