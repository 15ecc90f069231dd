import Foundation
import TestSupport
import Testing

/// The installed completions in real shells on a terminal: the result of pressing Tab.
@Suite(.busy) struct CompletionTests {
  /// How a shell is started, and how it loads completions that are installed below a prefix.
  struct Shell: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let start: String
    let settings: String
  }

  static let shells = [
    Shell(
      testDescription: "bash", start: "bash --norc --noprofile",
      settings: ". /usr/share/bash-completion/bash_completion; bind 'set show-all-if-ambiguous on'"),
    Shell(
      testDescription: "zsh", start: "zsh -f",
      settings: "fpath=($PREFIX/share/zsh/site-functions $fpath); autoload -Uz compinit; compinit -D -u"),
    Shell(
      testDescription: "fish", start: "fish --no-config",
      settings: "source $PREFIX/share/fish/vendor_completions.d/workq.fish"),
  ]

  /// A shell on a terminal with the installed completions.
  private struct Session {
    private let root = FileManager.default.temporaryDirectory.appending(
      path: "workq-tab-\(UUID().uuidString)")
    private let terminal: Tmux

    init(_ shell: Shell) throws {
      let (prefix, home) = ("\(root.path)/usr", root.appending(path: "home"))
      try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
      try Data().write(to: home.appending(path: "tasks.txt"))
      try FileManager.default.copyItem(atPath: "/bin/true", toPath: "\(home.path)/worker")
      try FileManager.default.createDirectory(
        at: home.appending(path: "spooled"), withIntermediateDirectories: true)
      let arguments = ["-C", TestEnvironment.repository, "install", "DESTDIR=", "PREFIX=\(prefix)"]
      let install = try Program("/usr/bin/make", arguments).run()
      try #require(install.status == 0, "\(install.error)")
      terminal = try Tmux(columns: 100, rows: 40)
      let variables = [
        "HOME=\(home.path)", "PATH=\(prefix)/bin:/usr/bin:/bin", "PREFIX=\(prefix)", "TERM=xterm",
        "XDG_DATA_DIRS=\(prefix)/share:/usr/share", "LC_ALL=C.UTF-8", "NO_COLOR=1",
      ]
      try terminal.type("cd \(home.path); exec env -i \(variables.joined(separator: " ")) \(shell.start)")
      try terminal.type(shell.settings)
    }

    /// Types the start of a line, presses Tab, types the rest, and waits until the screen shows all expected texts.
    func press(_ text: String, then rest: String = "", shows expected: String...) throws {
      try terminal.type("clear; echo wor''king")
      try terminal.waitFor("that the shell is there") { $0.contains("\nworking") || $0.hasPrefix("working") }
      try terminal.send(text)
      try terminal.press("Tab")
      try terminal.send(rest)
      try terminal.waitFor("\(expected) after '\(text)'") { screen in expected.allSatisfy(screen.contains) }
      try terminal.press("C-c")
    }

    func end() { try? FileManager.default.removeItem(at: root) }
  }

  @Test(arguments: shells)
  func `completes subcommands, options, values and files when Tab is pressed`(shell: Shell) throws {
    let session = try Session(shell)
    defer { session.end() }
    try session.press("workq pu", shows: "publish", "purge")
    try session.press("workq publish --pri", shows: "--priority", "--print-id")
    try session.press("workq declare --type ", shows: "classic", "quorum", "stream")
    try session.press("workq publish --file ta", shows: "workq publish --file tasks.txt")
    try session.press("workq work --output t", shows: "workq work --output tagged")
  }

  @Test(arguments: shells)
  func `completes a value when it is joined to its option by an equals sign`(shell: Shell) throws {
    let session = try Session(shell)
    defer { session.end() }
    try session.press("workq work --output=t", shows: "workq work --output=tagged")
    try session.press("workq work --output=", shows: "passthrough", "tagged", "grouped")
    try session.press("workq publish --file=ta", shows: "workq publish --file=tasks.txt")
    try session.press("workq publish --spool=sp", shows: "workq publish --spool=spooled/")
    try session.press("workq work -j 2 --log=j", shows: "workq work -j 2 --log=json")
  }

  @Test(arguments: shells)
  func `completes options, values and the subcommand when options come first`(shell: Shell) throws {
    let session = try Session(shell)
    defer { session.end() }
    try session.press("workq --qu", shows: "--queue", "--quiet")
    try session.press("workq --color n", shows: "workq --color never")
    try session.press("workq --color=n", shows: "workq --color=never")
    try session.press("workq -q mail pub", shows: "workq -q mail publish")
    try session.press("workq --queue=mail -v pub", shows: "workq --queue=mail -v publish")
    try session.press("workq -q mail work --output t", shows: "workq -q mail work --output tagged")
    try session.press("workq --url-file ta", shows: "workq --url-file tasks.txt")
  }

  @Test(arguments: shells)
  func `completes commands and files but no workq options when Tab is pressed after two dashes`(
    shell: Shell
  ) throws {
    let session = try Session(shell)
    defer { session.end() }
    try session.press("workq work -- printen", shows: "workq work -- printenv")
    try session.press("workq work -j 2 -- ./wor", shows: "workq work -j 2 -- ./worker")
    try session.press("workq -q mail work --drain -- printen", shows: "work --drain -- printenv")
    try session.press("workq work -- cat tas", shows: "workq work -- cat tasks.txt")
    try session.press("workq work -- --pre", then: "X", shows: "workq work -- --preX")
  }

  /// fish is started without its completions.
  @Test(arguments: shells.filter { $0.testDescription != "fish" })
  func `completes the command's own options when the shell knows them`(shell: Shell) throws {
    let session = try Session(shell)
    defer { session.end() }
    try session.press("workq work -- ls --recur", shows: "workq work -- ls --recursive")
    try session.press("workq work -j 2 -- ls --recur", shows: "workq work -j 2 -- ls --recursive")
  }
}
