/// Completions for the shells, whose scripts ask the program: it has the tables of options.
enum Completions {
  enum Shell {
    case bash
    case zsh
    case fish
  }

  /// The hidden subcommand with which the scripts ask.
  static let request = "__complete"

  /// The completions of a command line's last word, one per line, optionally followed by a tab and a summary.
  ///
  /// Instead, `:file` and `:directory` ask the shell for names, and `:command N` for the completions of the command
  /// that begins at word N; the program's name is word 0. For `--option=value` only values are offered.
  static func offers(for arguments: ArraySlice<String>) -> String {
    var options = Invocation.commonGroups.flatMap(\.options)
    var scanner = OptionScanner(arguments.dropLast(), options)
    var (subcommand, isHelp, given) = (Subcommand?.none, false, Set<String>())
    scan: while true {
      do throws(UsageError) {
        switch try scanner.next() {
        case .option(let option, _, _): given.insert(option.long)
        case let token where scanner.isPastOptions && subcommand != nil:
          guard case .command = subcommand?.operands else { return "" }
          return ":command \(arguments.count - scanner.rest.count - (token == nil ? 0 : 1))"
        case nil: break scan
        case .word where subcommand != nil || isHelp: break
        case .word("help"): isHelp = true
        case .word(let word):
          guard let found = Subcommand.named(word) else { return "" }
          (subcommand, options) = (found, found.options)
          scanner = OptionScanner(scanner.rest, options)
        }
      } catch {
        if let option = scanner.optionWithoutValue { return values(of: option) }
      }
    }
    let word = arguments.last ?? ""
    if word.hasPrefix("--"), let mark = word.firstIndex(of: "=") {
      return options.first { $0.names.contains(String(word[..<mark])) }.map(values) ?? ""
    }
    if word.hasPrefix("-") {
      return lines(
        options.filter { $0.repeats || !given.contains($0.long) }.flatMap { option in
          option.names.map { ($0, option.summary) }
        })
    }
    guard subcommand == nil else { return "" }
    let subcommands = Subcommand.all.map { ($0.name, $0.summary) }
    return lines(subcommands + (isHelp ? [] : [("help", "Print the help of a subcommand")]))
  }

  private static func lines(_ offers: [(String, summary: String)]) -> String {
    offers.map { "\($0)\t\(Prose.plain($1))" }.joined(separator: "\n")
  }

  private static func values(of option: Option) -> String {
    switch option.completion {
    case .none: ""
    case .file: ":file"
    case .directory: ":directory"
    case .values(let values): values.joined(separator: "\n")
    }
  }

  /// Without a newline at the end.
  static func script(for shell: Shell) -> String {
    switch shell {
    case .bash:
      #"""
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
        mapfile -t offers < <("${1/#\~/$HOME}" \#(request) "${words[@]}" 2>/dev/null)
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
      """#
    case .zsh:
      #"""
      #compdef workq
      # Completions of workq for zsh: the program itself says what can follow.

      _workq() {
        local -a offers
        offers=(${(f)"$(${(Q)~words[1]} \#(request) "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
        [[ $offers[1] = :command* ]] || compset -P 1 '--*='
        case $offers[1] in
          :command*)
            shift ${offers[1]#:command } words
            ((CURRENT -= ${offers[1]#:command }))
            if ((CURRENT > 1)); then
              _normal
            else
              _alternative 'commands:command:_command_names -e' 'files:file:_files'
            fi ;;
          :file) _files ;;
          :directory) _files -/ ;;
          *)
            offers=("${(@)offers/$'\t'/:}")
            _describe -t offers offer offers ;;
        esac
      }

      _workq "$@"
      """#
    case .fish:
      #"""
      # Completions of workq for fish: the program itself says what can follow.

      function __workq_offers
          set -l words (commandline -opc)
          set -l current (commandline -ct)
          set -l program (string replace -r -- '^~' ~ $words[1])
          set -l offers ($program \#(request) $words[2..] "$current" 2>/dev/null)
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
      """#
    }
  }
}
