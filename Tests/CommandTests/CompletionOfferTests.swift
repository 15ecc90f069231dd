import TestSupport
import Testing

@testable import workq

/// The candidates that the program offers to the shells' completions.
@Suite(.units) struct CompletionOfferTests {
  /// The candidates for a line whose last argument is incomplete, without summaries.
  private static func offers(_ line: String) throws -> [String] {
    let arguments = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    guard case .print(let text) = try Invocation.parse([Completions.request] + arguments) else { return [] }
    return text.split(separator: "\n").compactMap { $0.split(separator: "\t").first.map(String.init) }
  }

  @Test(
    arguments: [
      ("", Subcommand.names + ["help"]), ("-v pub", Subcommand.names + ["help"]),
      ("-q mail ", Subcommand.names + ["help"]), ("help ", Subcommand.names),
      ("help work ", Subcommand.names),
      ("publish ", []), ("nonsense ", []), ("move a ", []),
      ("work --output ", ["passthrough", "tagged", "grouped"]),
      ("work --output=t", ["passthrough", "tagged", "grouped"]),
      ("-q mail work -j 2 --log j", ["text", "json"]), ("--color ", ["auto", "always", "never"]),
      ("work -vq ", []), ("publish --file ", [":file"]), ("publish -f ", [":file"]),
      ("publish --spool=", [":directory"]), ("publish --spool ", []), ("publish --lines=", []),
      ("status --watch ", []), ("publish --no-such ", []), ("publish --no-such=", []),
      ("work -- ", [":command 3"]), ("-q mail work -j 2 -- nice -n ", [":command 7"]),
      ("work -q -- -- ", [":command 5"]), ("work -q -- ", []), ("publish -- -", []), ("-- work -", nil),
    ] as [(String, [String]?)])
  func `completion offers what fits at the end of a line`(line: String, expected: [String]?) throws {
    let offers = try Self.offers(line)
    guard let expected else {
      #expect(offers.contains("--jobs"))
      return
    }
    #expect(offers == expected)
  }

  @Test(arguments: [nil] + Subcommand.names)
  func `completion offers every option except given ones that do not repeat`(name: String?) throws {
    let line = name.map { "\($0) " } ?? ""
    let options = name.flatMap(Subcommand.named)?.options ?? Invocation.commonGroups.flatMap(\.options)
    try expect(Self.offers("\(line)-"), equals: options.flatMap(\.names))
    let rest = options.filter { !["verbose", "queue"].contains($0.long) }.flatMap(\.names)
    try expect(Self.offers("\(line)-u amqp://a -vq mail --"), equals: rest)
    guard case .print(let text) = try Invocation.parse([Completions.request, name ?? "-v", "-"]) else {
      return
    }
    #expect(text.contains("--url-file\tRead the URL from the first line of <file>\n"))
  }
}
