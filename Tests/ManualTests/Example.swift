import Foundation
import TestSupport
import Testing

/// An example in the manual or README.md that is marked to be run as a shell session.
///
/// The mark is the comment `.\" run` before `.Bd` in a page, and `<!-- run -->` before a fence in Markdown.
/// Commands after the word "run" run first, and are not shown. In the example, `$ ` starts a command and `> `
/// continues it. Other lines are the command's output, where "..." matches any text. An example without
/// `$ ` is a script.
struct Example: CustomTestStringConvertible, Sendable {
  struct Step: Sendable {
    var command: String
    /// The expected output; empty when the output does not matter.
    var shown: [String] = []
  }

  /// The file and the line number.
  let place: String
  let preparation: String
  let steps: [Step]

  var testDescription: String { place }

  static let all = inPages + inReadme
  static let inPages = examples.filter { !$0.place.hasPrefix(readme) }
  static let inReadme = examples.filter { $0.place.hasPrefix(readme) }
  private static let readme = "README.md"
  private static let examples = shown(marked: "run").map { block in
    Example(place: block.place, preparation: block.note, steps: steps(of: block.lines))
  }

  /// The block after a mark.
  struct Block {
    let place: String
    /// The text after the mark's word.
    let note: String
    let lines: [String]
  }

  /// The blocks in the manual and README.md after a mark with this word.
  static func shown(marked word: String) -> [Block] {
    let text = try? String(contentsOfFile: "\(TestEnvironment.repository)/\(readme)", encoding: .utf8)
    let lines = text?.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) ?? []
    return ManualPage.all.flatMap { page in
      found(in: page.lines, page.name, mark: (#".\" \#(word)"#, ""), block: (".Bd ", ".Ed"), unescaped)
    } + found(in: lines, readme, mark: ("<!-- \(word)", "-->"), block: ("```", "```")) { $0 }
  }

  private static func found(
    in lines: [String], _ name: String, mark: (start: String, end: String),
    block: (start: String, end: String), _ text: (String) -> String
  ) -> [Block] {
    lines.indices.compactMap { index in
      guard lines[index].hasPrefix(mark.start), lines[index].hasSuffix(mark.end), index + 1 < lines.count,
        lines[index + 1].hasPrefix(block.start)
      else { return nil }
      let note = lines[index].dropFirst(mark.start.count).dropLast(mark.end.count)
      return Block(
        place: "\(name):\(index + 1)", note: text(String(note)),
        lines: lines[(index + 2)...].prefix { $0 != block.end }.map(text))
    }
  }

  /// A line of a page as its reader sees it.
  private static func unescaped(_ line: String) -> String {
    line.replacing(#"\&"#, with: "").replacing(#"\-"#, with: "-").replacing(#"\e"#, with: #"\"#)
  }

  private static func steps(of lines: [String]) -> [Step] {
    guard lines.contains(where: { $0.hasPrefix("$ ") }) else {
      return [Step(command: lines.joined(separator: "\n"))]
    }
    return lines.reduce(into: []) { steps, line in
      if line.hasPrefix("$ ") {
        steps.append(Step(command: String(line.dropFirst(2))))
      } else if line.hasPrefix("> ") && steps.last?.shown == [] {
        steps[steps.count - 1].command += "\n" + line.dropFirst(2)
      } else if !steps.isEmpty {
        steps[steps.count - 1].shown.append(line)
      }
    }
  }
}

extension Example {
  /// Runs the example in its own home directory.
  ///
  /// - Returns: the shell's result, and the output of each step.
  func run(at url: String) throws -> (Program.Result, outputs: [(stdout: [String], stderr: [String])]) {
    let root = FileManager.default.temporaryDirectory.appending(path: "workq-example-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let home = root.appending(path: "home")
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
    try Data(script(in: root.path).utf8).write(to: root.appending(path: "script"))
    var shell = Program("/bin/sh", ["-eu", root.appending(path: "script").path])
    let tools = URL(filePath: TestEnvironment.binary).deletingLastPathComponent().path
    shell.environment = [
      "HOME": home.path, "PATH": "\(tools):/usr/local/bin:/usr/bin:/bin", "AMQP_URL": url,
      "LC_ALL": "C.UTF-8",
    ]
    let result = try shell.run()
    let outputs = steps.indices.map { number in
      (Self.lines(root.appending(path: "\(number).out")), Self.lines(root.appending(path: "\(number).err")))
    }
    return (result, outputs)
  }

  private func script(in root: String) -> String {
    let steps = steps.enumerated().map { number, step in
      "{\n\(step.command)\n} >'\(root)/\(number).out' 2>'\(root)/\(number).err'\n"
    }
    // The script waits for its background jobs, and hangs if one does not exit.
    return "cd \"$HOME\"\n\(preparation)\n\(steps.joined())wait\n"
  }

  private static func lines(_ file: URL) -> [String] {
    let text = (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }
}
