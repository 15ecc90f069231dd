import Foundation
import TestSupport

/// A terminal whose screen can be read: tmux(1), with a server of its own that ends with this object.
final class Tmux {
  private let directory: URL

  /// Starts `sh` in it, with a broker's URL and the program under test ($WORKQ) in its environment.
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
    // The test is over: whether there is still a server to end makes no difference.
    _ = try? Program("/usr/bin/tmux", ["-S", socket, "kill-server"]).run()
    try? FileManager.default.removeItem(at: directory)
  }

  func type(_ line: String) throws { try send(line + "\n") }

  /// Types text that does not end a line.
  func send(_ text: String) throws {
    if !text.isEmpty { try run(["send-keys", "-l", text]) }
  }

  /// Presses a key by tmux's name: "C-c".
  func press(_ key: String) throws { try run(["send-keys", key]) }

  func resize(columns: Int, rows: Int) throws {
    try run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
  }

  /// What can be seen, line by line.
  func screen() throws -> String { try run(["capture-pane", "-p"]) }

  /// Waits until the screen is as it should be.
  func waitFor(_ what: String, within limit: Double = 30, _ condition: (String) -> Bool) throws {
    var seen = ""
    try waitUntil("the screen shows \(what); it shows:\n\(seen)", within: limit) {
      seen = try screen()
      return condition(seen)
    }
  }

  private var socket: String { directory.appending(path: "socket").path }

  @discardableResult
  private func run(_ arguments: [String]) throws -> String {
    let result = try Program("/usr/bin/tmux", ["-S", socket] + arguments).run()
    guard result.status == 0 else { throw Failed(words: result.error) }
    return result.output
  }

  struct Failed: Error {
    let words: String
  }
}
