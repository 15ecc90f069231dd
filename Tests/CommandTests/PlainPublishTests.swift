import ArgumentParser
import TestSupport
import Testing

@testable import workq

@Suite(.units) struct PlainPublishTests {
  private func byParser(_ arguments: [String]) -> PublishOrder? {
    let command = try? Workq.parseAsRoot(arguments)
    return (command as? Publish)?.order
  }

  @Test func `a plain command line means to both what the parser says`() throws {
    var random = SeededRandom(seed: 12)
    let words = ["hello", "", "a b", "help", "publish", "x=y", "K: V", "\u{10ff41}", "é", "0", "\n", "="]
    let headers = [
      "kind=x", "kind: y", "n:=1", "n:=true", "n:=1.5", "e=", "b=\u{10ff41}", "n:=x", "=x", "none",
    ]
    let times = ["0", "500ms", "1.5m", "2h", "49d", "50d", "soon", ""]
    var (found, left) = (0, 0)
    for _ in 0..<400 {
      var arguments = ["publish"]
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        switch Int.random(in: 0..<14, using: &random) {
        case 0:
          arguments += [
            ["-q", "--queue"].randomElement(using: &random)!, words.randomElement(using: &random)!,
          ]
        case 1:
          arguments += [
            ["-u", "--url"].randomElement(using: &random)!, words.randomElement(using: &random)!,
          ]
        case 2: arguments.append(["-l", "--lines"].randomElement(using: &random)!)
        case 3: arguments.append(["--spool", "--print-id"].randomElement(using: &random)!)
        case 4:
          arguments += [
            ["-H", "--header"].randomElement(using: &random)!, headers.randomElement(using: &random)!,
          ]
        case 5:
          arguments += [
            ["--delay", "--retry-for"].randomElement(using: &random)!, times.randomElement(using: &random)!,
          ]
        default: arguments.append(words.randomElement(using: &random)!)
        }
      }
      guard let plain = PlainPublish.order(arguments) else {
        left += 1
        continue
      }
      found += 1
      #expect(byParser(arguments) == plain, "\(arguments)")
    }
    #expect(found > 200)
    #expect(left > 50)
  }

  @Test(arguments: [
    [], ["work"], ["help", "publish"], ["--version"], ["publish", "--help"], ["publish", "-h"],
    ["publish", "-l", "word"], ["publish", "word", "--lines"], ["publish", "-q"], ["publish", "-u"],
    ["publish", "-q", "-l"], ["publish", "--queue=q", "x"], ["publish", "-qq", "x"], ["publish", "-v"],
    ["publish", "--", "-q"], ["publish", "-"], ["publish", "--uri", "amqp://h"], ["publish", "-lq", "q"],
    ["publish", "--queue", "--", "x"], ["publish", "--spool=/x", "word"], ["publish", "--json"],
    ["publish", "--print-id", "--json"], ["publish", "--delay", "50d"], ["publish", "-H", "=x"],
  ])
  func `anything else is left to the parser`(arguments: [String]) {
    #expect(PlainPublish.order(arguments) == nil)
  }
}

@Suite(.units) struct SpoolOptionsTests {
  @Test(arguments: [
    (["publish", "--spool", "x"], ["publish", "--spool", "x"]),
    (["publish", "--spool=/var/x", "w"], ["publish", "--spool-directory=/var/x", "w"]),
    (["publish", "--spool=", "w"], ["publish", "--spool-directory=", "w"]),
    (["publish", "--spool=a=b"], ["publish", "--spool-directory=a=b"]),
    (["publish", "--", "--spool=x"], ["publish", "--", "--spool=x"]),
    (["publish", "--spool=a", "--", "--spool=b"], ["publish", "--spool-directory=a", "--", "--spool=b"]),
    (
      ["publish", "-spool=x", "spool=x", "--spool-directory=x"],
      ["publish", "-spool=x", "spool=x", "--spool-directory=x"]
    ),
    ([], []),
  ])
  func `a directory behind --spool= is the option that takes one`(typed: [String], meant: [String]) {
    #expect(SpoolOptions.expanded(typed) == meant)
  }
}
