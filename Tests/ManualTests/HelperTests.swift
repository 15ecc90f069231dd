import Foundation
import TestSupport
import Testing

/// Runs the resident commands that the manual shows, each of at most ten lines.
@Suite(.busy) struct HelperTests {
  static let helpers = Example.shown(marked: "helper")

  @Test func `the manual has a resident command of at most ten lines for each of five languages`() {
    let languages = Self.helpers.map { $0.note.split(separator: " ").first.map(String.init) ?? "" }
    #expect(languages == ["sh", "awk", "python3", "perl", "node"])
    for helper in Self.helpers { #expect(helper.lines.count <= 10, "\(helper.place)") }
  }

  @Test(arguments: helpers.map(\.place))
  func `a resident command from the manual processes every task`(place: String) throws {
    let helper = try #require(Self.helpers.first { $0.place == place })
    let fields = helper.note.split(separator: " ").map(String.init)
    try #require(fields.count == 2)
    guard let interpreter = Self.find(fields[0]) else {
      #expect(fields[0] == "node", "\(fields[0]) is not installed")
      return
    }
    let queue = freshQueue("helper")
    let bodies = (1...20).map { "it's no. \($0) \\ é" }
    let publish = Program.workq("publish", "--lines", "-q", queue)
    try #require(publish.run(input: Array(bodies.joined(separator: "\n").utf8)).status == 0)
    let file = try TemporaryFile(helper.lines.joined(separator: "\n") + "\n")
    let options = [
      "work", "-q", queue, "--resident=\(fields[1])", "--window", "3", "--drain", "--timeout", "60s", "--",
    ]
    let flags = fields[0] == "awk" ? Self.isMawk(interpreter) ? ["-W", "interactive", "-f"] : ["-f"] : []
    let result = try Program.workq(options + [interpreter] + flags + [file.path]).run()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("20 done; "), "\(result.error)")
    #expect(result.outputLines == bodies.map { "task: \($0)" })
  }

  private static func find(_ name: String) -> String? {
    ["/usr/bin/\(name)", "/usr/local/bin/\(name)"].first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static func isMawk(_ path: String) -> Bool {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().lastPathComponent == "mawk"
  }
}
