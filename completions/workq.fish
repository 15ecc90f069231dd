# Completions of workq for fish: the program itself says what can follow.

function __workq_offers
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r -- '^~' ~ $words[1])
    set -l offers ($program __complete $words[2..] "$current" 2>/dev/null)
    set -l option (string match -r -- '^--[^=]+=' "$current")
    set -l value (string replace -- "$option" '' "$current")
    switch "$offers[1]"
        case ':command *'
            set -l place (string replace ':command ' '' -- $offers[1])
            complete --do-complete "$(string escape -- $words[(math $place + 1)..] | string join ' ') $current"
        case :file
            printf '%s\n' "$option"(complete --do-complete "__fish_command_without_completions $value")
        case :directory
            printf '%s\n' "$option"(__fish_complete_directories "$value")
        case '*'
            printf '%s\n' "$option"$offers
    end
end

complete -c workq -f -a '(__workq_offers)'
