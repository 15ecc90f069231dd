import CGetopt
import Glibc
import TestSupport
import Testing

@testable import workq

/// Compares the parser with glibc's getopt_long(3), on the same option tables and random command lines.
@Suite(.units, .serialized) struct GetoptFuzzTests {
  /// The result of a parser, up to the first error.
  struct Found: Equatable {
    var options: [String] = []
    var operands: [String] = []
    var isRefused = false
  }

  /// An option and its value as one string.
  private static func text(_ long: String, _ value: String?) -> String {
    value.map { "\(long)=\($0)" } ?? long
  }

  private static func ours(_ arguments: [String], _ options: [Option]) -> Found {
    var (found, scanner) = (Found(), OptionScanner(arguments[...], options))
    do throws(UsageError) {
      while let token = try scanner.next() {
        switch token {
        case .option(let option, let value, _): found.options.append(text(option.long, value))
        case .word(let word): found.operands.append(word)
        }
      }
    } catch {
      found.isRefused = true
    }
    return found
  }

  /// The option table in the form of getopt_long.
  private struct Table {
    let longs: [(name: String, option: Int)]
    let shorts: String

    init(_ options: [Option]) {
      longs = options.enumerated().flatMap { index, option in
        ([option.long] + option.aliases).map { ($0, index) }
      }
      shorts = options.reduce(into: ":") { text, option in
        guard let short = option.short else { return }
        text += "\(short)"
        if case .required = option.argument { text += ":" }
      }
    }
  }

  private static func theirs(_ arguments: [String], _ options: [Option], _ table: Table) -> Found {
    var found = Found()
    var argv = (["workq"] + arguments).map { strdup($0) } + [nil]
    let names = table.longs.map { strdup($0.name) }
    defer { for pointer in argv + names { free(pointer) } }
    var longs = zip(table.longs, names).map { entry, name in
      let hasArgument: Int32 =
        switch options[entry.option].argument {
        case .none: no_argument
        case .required: required_argument
        case .optional, .optionalApart: optional_argument
        }
      return CGetopt.option(name: name, has_arg: hasArgument, flag: nil, val: 0)
    }
    longs.append(CGetopt.option())
    getopt_restart()
    while true {
      var place: Int32 = -1
      let letter = getopt_long(Int32(arguments.count + 1), &argv, table.shorts, longs, &place)
      if letter == -1 { break }
      guard letter != 0x3f, letter != 0x3a else {
        found.isRefused = true
        return found
      }
      let value = getopt_value().map { String(cString: $0) }
      let index =
        letter == 0
        ? table.longs[Int(place)].option : options.firstIndex { $0.short?.value == UInt32(letter) } ?? 0
      found.options.append(text(options[index].long, value))
    }
    found.operands = argv[Int(getopt_index())..<arguments.count + 1].compactMap {
      $0.map { String(cString: $0) }
    }
    return found
  }

  /// A random argument: an option in any form, a value, or text that looks like an option.
  private static func argument(_ options: [Option], _ random: inout SeededRandom) -> String {
    let values = ["a", "", "-", "--", "-x", "5", "a=b", "=", "é", "-q", "--json", "x y"]
    let value = values.randomElement(using: &random) ?? ""
    let option = options.randomElement(using: &random) ?? options[0]
    let long = ([option.long] + option.aliases).randomElement(using: &random) ?? option.long
    let letters = options.compactMap(\.short).shuffled(using: &random).prefix(
      Int.random(in: 1...3, using: &random))
    switch Int.random(in: 0..<8, using: &random) {
    case 0, 1: return "--\(long)"
    case 2: return "--\(long)=\(value)"
    case 3: return "-" + letters.map { "\($0)" }.joined()
    case 4: return "-" + letters.map { "\($0)" }.joined() + value
    case 5: return "--\(long)x"
    default: return value
    }
  }

  /// Whether the parsers differ on purpose: getopt_long accepts abbreviations and `-q=a`, workq does not.
  private static func isLeftOut(_ arguments: [String], _ options: [Option]) -> Bool {
    let longs = options.flatMap { [$0.long] + $0.aliases }
    return arguments.contains { argument in
      guard argument.hasPrefix("--"), argument.count > 2 else {
        return argument.hasPrefix("-") && argument.contains("q=")
      }
      let name = argument.dropFirst(2).prefix { $0 != "=" }
      return !longs.contains(String(name)) && longs.contains { $0.hasPrefix(name) }
    }
  }

  @Test func `the parser agrees with getopt_long on 100,000 random command lines`() throws {
    var random = SeededRandom(seed: 31)
    let tables = Subcommand.all.map { subcommand in
      // getopt_long cannot express the two options whose optional value may be the next argument.
      let options = subcommand.options.filter { option in
        if case .optionalApart = option.argument { false } else { true }
      }
      return (options: options, table: Table(options))
    }
    var (compared, refused, withOperands) = (0, 0, 0)
    for _ in Fuzz.cases(100_000) {
      let (options, table) = tables[Int.random(in: tables.indices, using: &random)]
      var arguments: [String] = []
      repeat {
        arguments = (0..<Int.random(in: 0...7, using: &random)).map { _ in Self.argument(options, &random) }
      } while Self.isLeftOut(arguments, options)
      var (ours, theirs) = (Self.ours(arguments, options), Self.theirs(arguments, options, table))
      if ours.isRefused { (ours.operands, theirs.operands) = ([], []) }
      compared += 1
      refused += ours.isRefused ? 1 : 0
      withOperands += ours.operands.isEmpty ? 0 : 1
      if ours != theirs { Issue.record("\(arguments): \(ours), getopt_long: \(theirs)") }
    }
    #expect(compared >= 100_000)
    #expect(refused > 10_000)
    #expect(withOperands > 10_000)
  }

  @Test func `refuses an abbreviated option and suggests its full name`() {
    for (argument, name) in [("--prior", "priority"), ("--unl", "unless-waiting"), ("--vers", "version")] {
      let failure = #expect(throws: Failure.self) { try Invocation.parse(["publish", argument, "1"]) }
      #expect(failure?.message.contains("did you mean '--\(name)'?") == true)
    }
  }
}
