/// The completions for three shells, made from the tables of options.
///
/// They never ask a broker. What a shell shows is the option's summary.
enum Completions {
  enum Shell {
    case bash
    case zsh
    case fish
  }

  /// A subcommand's own options, and the options that all have.
  typealias Table = (own: [(subcommand: Subcommand, options: [Option])], common: [Option])

  /// Without the last line's end.
  static func script(for shell: Shell) -> String {
    let subcommands = Subcommand.names.compactMap(Subcommand.named)
    let common = Invocation.commonGroups.flatMap(\.options)
    let names = Set(common.map(\.long))
    let own = subcommands.map { subcommand in
      (subcommand: subcommand, options: subcommand.options.filter { !names.contains($0.long) })
    }
    return switch shell {
    case .bash: bash((own, common))
    case .zsh: zsh((own, common))
    case .fish: fish((own, common))
    }
  }

  /// Text as one word of a shell's, in single quotes.
  static func quoted(_ text: String, _ quote: String = #"'\''"#) -> String {
    "'" + Prose.plain(text).split(separator: "'", omittingEmptySubsequences: false).joined(separator: quote)
      + "'"
  }

  // MARK: bash

  private static func bash(_ table: Table) -> String {
    let names = (Subcommand.names + ["help"]).joined(separator: " ")
    let options = table.own.map { entry in
      "    \(entry.subcommand.name)) own='\(allNames(entry.options))' ;;"
    }
    let values = table.own.flatMap { entry in
      entry.options.compactMap { bashValue($0, entry.subcommand.name) }
    }
    return #"""
      # Completions of workq for bash.

      # Sets "value" to what the option "$2" of the subcommand "$1" takes: file, directory, none or words; and
      # "isApart" where the value can be the next word.
      _workq_value() {
        value='' isApart=yes
        case "$1 $2" in
      \#((values + table.common.compactMap { bashValue($0, "*") }).joined(separator: "\n"))
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
      \#(options.joined(separator: "\n"))
          ''|help)
            [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -W '\#(names)' -- "$current") ;;
        esac
        [[ $current != -* ]] ||
          mapfile -t COMPREPLY < <(compgen -W "$own \#(allNames(table.common))" -- "$current")
      }

      complete -F _workq workq
      """#
  }

  private static func allNames(_ options: [Option]) -> String {
    options.flatMap(\.names).joined(separator: " ")
  }

  private static func bashValue(_ option: Option, _ subcommand: String) -> String? {
    guard !option.isFlag else { return nil }
    let patterns = option.names.map { subcommand == "*" ? "*' \($0)'" : "'\(subcommand) \($0)'" }
    let value: String =
      switch option.completion {
      case .none: "none"
      case .file: "file"
      case .directory: "directory"
      case .words(let words): "'\(words.joined(separator: " "))'"
      }
    let apart = option.needsValue ? "" : " isApart=''"
    return "    \(patterns.joined(separator: "|"))) value=\(value)\(apart) ;;"
  }

  // MARK: zsh

  private static func zsh(_ table: Table) -> String {
    let subcommands = table.own.map { quoted("\($0.subcommand.name):\($0.subcommand.summary)") }
    let cases = table.own.map { entry in
      let specs = entry.options.map(zshSpec) + zshOperands(entry.subcommand.operands)
      return "    \(entry.subcommand.name)) specs+=(\n\(indented(specs, 6))\n    ) ;;"
    }
    return #"""
      #compdef workq
      # Completions of workq for zsh.

      _workq_command() {
        _alternative 'commands:command:_command_names -e' 'files:file:_files'
      }

      # The words of that command, by its own completions.
      _workq_arguments() {
        if [[ $words[1] = -- ]]; then
          shift words
          ((CURRENT--))
        fi
        _normal
      }

      _workq() {
        local curcontext=$curcontext state line ret=1
        local -A opt_args
        local -a specs subcommands
        subcommands=(
      \#(indented(subcommands + ["'help:Print the help of a subcommand'"], 4))
        )
        specs=(
      \#(indented(table.common.map(zshSpec), 4))
        )
        _arguments -C -s -S : "${specs[@]}" '(-): :->subcommand' '(-)*:: :->arguments' && ret=0
        case $state in
          subcommand) _describe -t commands subcommand subcommands && ret=0 ;;
          arguments)
            _workq_specs $words[1]
            _arguments -s -S : "${specs[@]}" && ret=0 ;;
        esac
        return ret
      }

      # Adds the options and the words of a subcommand.
      _workq_specs() {
        case $1 in
      \#(cases.joined(separator: "\n"))
          help) specs=('1: :(\#(Subcommand.names.joined(separator: " ")))') ;;
        esac
      }

      _workq "$@"
      """#
  }

  private static func indented(_ lines: [String], _ width: Int) -> String {
    lines.map { String(repeating: " ", count: width) + $0 }.joined(separator: "\n")
  }

  private static func zshOperands(_ operands: Subcommand.Operands) -> [String] {
    switch operands {
    case .words(let name, atMost: let most): [most == 1 ? "'1:\(name): '" : "'*:\(name): '"]
    case .exactly(let names): names.enumerated().map { "'\($0.offset + 1):\($0.element): '" }
    case .command: ["'1: :_workq_command'", "'*::argument: _workq_arguments'"]
    }
  }

  private static func zshSpec(_ option: Option) -> String {
    let names = option.names
    let marked = names.map { name in
      switch option.argument {
      case .none: name
      case .required: name.hasPrefix("--") ? "\(name)=" : "\(name)+"
      case .optional: "\(name)=-"
      case .optionalApart: "\(name)="
      }
    }
    let action: String =
      switch option.completion {
      case .none: " "
      case .file: "_files"
      case .directory: "_files -/"
      case .words(let words): "(\(words.joined(separator: " ")))"
      }
    let colon = option.needsValue ? ":" : "::"
    let value = option.isFlag ? "" : "\(colon)\(zshText(option.valueName)):\(action)"
    let rest = quoted("[\(zshText(option.summary))]\(value)")
    let list = marked.count == 1 ? marked[0] : "{\(marked.joined(separator: ","))}"
    let excluded = option.repeats ? "'*'" : names.count == 1 ? "" : "'(\(names.joined(separator: " ")))'"
    return "\(excluded)\(list)\(rest)"
  }

  private static func zshText(_ text: String) -> String {
    String(text.flatMap { "[]:\\".contains($0) ? ["\\", $0] : [$0] })
  }

  // MARK: fish

  private static func fish(_ table: Table) -> String {
    let values = table.common.filter(\.needsValue)
    let summaries = table.own.map { ("\"\" help", $0.subcommand.name, $0.subcommand.summary) }
    let subcommands = (summaries + [("\"\"", "help", "Print the help of a subcommand")]).map {
      place, name, summary in
      "complete -c workq -n '__workq_in \(place)' -a \(name) -d \(fishText(summary))"
    }
    let own = table.own.flatMap { entry in
      entry.options.map { fishOption($0, "__workq_in \(entry.subcommand.name)") }
    }
    return #"""
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
              else if contains -- "$token" \#(allNames(values))
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
      \#(subcommands.joined(separator: "\n"))
      \#(table.common.map { fishOption($0, "not __workq_in --") }.joined(separator: "\n"))
      \#(own.joined(separator: "\n"))
      """#
  }

  private static func fishOption(_ option: Option, _ condition: String) -> String {
    let names =
      (option.short.map { ["-s \($0)"] } ?? []) + ([option.long] + option.aliases).map { "-l \($0)" }
    let exclusive = option.needsValue ? " -x" : ""
    let value =
      switch option.completion {
      case .none: exclusive
      case .file: option.needsValue ? " -r -F" : " -F"
      case .directory: "\(exclusive) -a '(__fish_complete_directories)'"
      case .words(let words): "\(exclusive) -a '\(words.joined(separator: " "))'"
      }
    return
      "complete -c workq -n '\(condition)' \(names.joined(separator: " "))\(value) -d \(fishText(option.summary))"
  }

  private static func fishText(_ text: String) -> String { quoted(text, #"\'"#) }
}
