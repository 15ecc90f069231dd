# Completions of workq for bash: the program itself says what can follow.

_workq() {
  local current=${COMP_WORDS[COMP_CWORD]} words=() places=() offers=() isJoined='' word index
  # bash takes "=" and ":" for words of their own.
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if [ "${#words[@]}" -gt 0 ] && [[ $isJoined || $word == [=:]* ]]; then
      words[-1]+=$word
    else
      words+=("$word") places+=("$index")
    fi
    [[ $word == *[=:] ]] && isJoined=yes || isJoined=''
  done
  [[ $current != [=:]* ]] || current=''
  mapfile -t offers < <("${1/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
  case ${offers[0]} in
    :command*)
      index=${places[${offers[0]#:command } - 1]}
      if declare -F _command_offset >/dev/null; then
        _command_offset "$index"
      else
        compopt -o filenames
        [ "$index" -lt "$COMP_CWORD" ] && word=-f || word=-fc
        mapfile -t COMPREPLY < <(compgen "$word" -- "$current")
      fi ;;
    :file | :directory)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen "-${offers[0]:1:1}" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${offers[*]%%$'\t'*}" -- "$current") ;;
  esac
}

complete -F _workq workq
