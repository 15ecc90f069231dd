import Foundation
import TestSupport

/// A terminal whose screen can be read: tmux(1) with a private server, killed in `deinit`.
final class Tmux {
  private let directory: URL

  /// Starts `sh`, with the broker's URL and the path of the program under test ($WORKQ) in the environment.
  init(columns: Int, rows: Int, at broker: Broker = .shared) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "workq-tmux-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let variables = ["AMQP_URL=\(broker.url)", "WORKQ=\(TestEnvironment.binary)", "NO_COLOR=1"]
    try run(
      ["-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)"]
        + variables.flatMap { ["-e", $0] } + ["sh"])
    try type("PS1='ready$ '; clear")
    try waitFor("the shell's prompt") { $0.hasPrefix("ready$") }
  }

  deinit {
    // The server may already have exited.
    _ = try? Program("/usr/bin/tmux", ["-S", socket, "kill-server"]).run()
    try? FileManager.default.removeItem(at: directory)
  }

  func type(_ line: String) throws { try send(line + "\n") }

  /// Types text without a newline.
  func send(_ text: String) throws {
    if !text.isEmpty { try run(["send-keys", "-l", text]) }
  }

  /// Presses a key, by its tmux name ("C-c").
  func press(_ key: String) throws { try run(["send-keys", key]) }

  func resize(columns: Int, rows: Int) throws {
    try run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
  }

  /// The visible lines.
  func screen() throws -> String { try run(["capture-pane", "-p"]) }

  /// Waits until the text on the screen satisfies a condition.
  func waitFor(_ what: String, within limit: Double = 30, _ condition: (String) -> Bool) throws {
    var seen = ""
    try waitUntil("the screen shows \(what); it shows:\n\(seen)", within: limit) {
      seen = try screen()
      return condition(seen)
    }
  }

  /// Waits until the shell asks for a command: what is typed earlier is not shown again after a program's own screen.
  func waitForPrompt() throws {
    try waitFor("the prompt") { $0.split(separator: "\n").last == "ready$" }
  }

  private var socket: String { directory.appending(path: "socket").path }

  @discardableResult
  private func run(_ arguments: [String]) throws -> String {
    let result = try Program("/usr/bin/tmux", ["-S", socket] + arguments).run()
    guard result.status == 0 else { throw Failed(message: result.error) }
    return result.output
  }

  struct Failed: Error {
    let message: String
  }
}
