import ArgumentParser
import TestSupport
import Testing

@testable import workq

@Suite struct PlainPublishTests {
  private func byParser(_ arguments: [String]) -> Publish? {
    (try? Workq.parseAsRoot(arguments)) as? Publish
  }

  /// Each option's value, by the name of its property.
  private func values(_ publish: Publish) -> [String: String] {
    var values: [String: String] = [:]
    func add(_ subject: Any, _ path: String) {
      for child in Mirror(reflecting: subject).children {
        guard let name = child.label else { continue }
        let plain = path + (name.hasPrefix("_") ? String(name.dropFirst()) : name)
        if let options = value(of: child.value) as? any ParsableArguments {
          add(options, plain + ".")
        } else {
          values[plain] = "\(value(of: child.value))"
        }
      }
    }
    add(publish, "")
    return values
  }

  /// What a property wrapper of the parser's holds.
  private func value(of wrapper: Any) -> Any {
    switch wrapper {
    case let it as any Wrapper: it.held
    default: wrapper
    }
  }

  @Test func `a plain command line means to both what the parser says`() throws {
    var random = SeededRandom(seed: 12)
    let words = ["hello", "", "a b", "help", "publish", "x=y", "K: V", "\u{10ff41}", "é", "0", "\n", "="]
    var found = 0
    for _ in 0..<400 {
      var arguments = ["publish"]
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
          arguments += [
            ["-q", "--queue"].randomElement(using: &random)!, words.randomElement(using: &random)!,
          ]
        case 1:
          arguments += [
            ["-u", "--url"].randomElement(using: &random)!, words.randomElement(using: &random)!,
          ]
        case 2: arguments.append(["-l", "--lines"].randomElement(using: &random)!)
        default: arguments.append(words.randomElement(using: &random)!)
        }
      }
      guard let plain = PlainPublish.command(arguments) else {
        #expect(arguments.contains { $0 == "-l" || $0 == "--lines" }, "\(arguments)")
        continue
      }
      found += 1
      let parsed = try #require(byParser(arguments), "\(arguments)")
      #expect(values(plain) == values(parsed), "\(arguments)")
    }
    #expect(found > 200)
    let names = values(PlainPublish.command(["publish"])!)
    #expect(names.count > 35 && names["properties.messageID"] == "nil" && names["output.color"] == "auto")
  }

  @Test(arguments: [
    [], ["work"], ["help", "publish"], ["--version"], ["publish", "--help"], ["publish", "-h"],
    ["publish", "-l", "word"], ["publish", "word", "--lines"], ["publish", "-q"], ["publish", "-u"],
    ["publish", "-q", "-l"], ["publish", "--queue=q", "x"], ["publish", "-qq", "x"], ["publish", "-v"],
    ["publish", "--", "-q"], ["publish", "-"], ["publish", "--uri", "amqp://h"], ["publish", "-lq", "q"],
    ["publish", "--queue", "--", "x"], ["publish", "--spool=/x", "word"], ["publish", "--print-id"],
  ])
  func `anything else is left to the parser`(arguments: [String]) {
    #expect(PlainPublish.command(arguments) == nil)
  }
}

/// The parser's wrappers, which give away their values only by their own types.
private protocol Wrapper {
  var held: Any { get }
}

extension Option: Wrapper {
  fileprivate var held: Any { wrappedValue }
}
extension Flag: Wrapper {
  fileprivate var held: Any { wrappedValue }
}
extension Argument: Wrapper {
  fileprivate var held: Any { wrappedValue }
}
extension OptionGroup: Wrapper {
  fileprivate var held: Any { wrappedValue }
}

@Suite struct SpoolOptionsTests {
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
