/// Suggestions for a subcommand or an option that does not exist.
enum Suggestion {
  /// Other programs' words for ours.
  private static let synonyms = [
    "send": "publish", "enqueue": "publish", "push": "publish", "consume": "work", "worker": "work",
    "ls": "status", "list": "status", "ping": "status", "show": "peek", "create": "declare",
    "delete": "purge --delete", "version": "--version",
  ]

  /// Removed options of 1.0, and their replacements.
  private static let formerOptions = ["help-hidden": "--help"]

  static func unknownSubcommand(_ word: String) -> UsageError {
    let reason = "there is no subcommand '\(Quoted.plain(word))'"
    if let synonym = synonyms[word] { return UsageError(reason, use: "use 'workq \(synonym)'") }
    let hint = nearest(to: word, among: Subcommand.names + ["help"]).map { "; did you mean '\($0)'?" } ?? ""
    return UsageError("\(reason)\(hint)")
  }

  /// What is wrong with an option, given with its dashes.
  static func unknownOption(_ name: String, _ options: [Option]) -> UsageError {
    let reason = "unknown option '\(Quoted.plain(name))'"
    guard name.hasPrefix("--") else { return UsageError(reason) }
    let word = String(name.dropFirst(2))
    if let option = formerOptions[word] { return UsageError(reason, use: "use \(option)") }
    let names = options.flatMap { [$0.long] + $0.aliases }
    let hint = nearest(to: word, among: names).map { "; did you mean '--\($0)'?" } ?? ""
    return UsageError("\(reason)\(hint)")
  }

  /// What is wrong with an option in front of the subcommand, which may be one of the subcommand's.
  static func misplacedOption(
    _ name: String, _ arguments: [String], _ options: [Option]
  ) -> UsageError {
    let named = arguments.first { Subcommand.named($0) != nil }
    let owners = (named.map { [$0] } ?? Subcommand.names).filter { owner in
      Subcommand.named(owner)?.options.contains { $0.names.contains(name) } == true
    }
    guard let owner = owners.first else { return unknownOption(name, options) }
    return UsageError(
      "'\(name)' is an option of \(owners.joined(separator: ", "))",
      use: "use 'workq \(owner) \(name)'; only connection and output options go before the subcommand")
  }

  /// The only name that begins with the word, or else the nearest one, if it is close.
  static func nearest(to word: String, among names: [String]) -> String? {
    let begun = names.filter { word.count > 1 && $0.hasPrefix(word) }
    if let name = begun.first, begun.count == 1 { return name }
    let near = names.map { (name: $0, distance: distance(word.lowercased(), $0)) }
      .min { $0.distance < $1.distance }
    guard let near, near.distance <= 2, near.distance < word.count - 1 else { return nil }
    return near.name
  }

  /// The Levenshtein distance.
  private static func distance(_ one: String, _ other: String) -> Int {
    let letters = Array(other)
    var row = Array(0...letters.count)
    for (index, letter) in one.enumerated() {
      var corner = row[0]
      row[0] = index + 1
      for column in letters.indices {
        let changed = corner + (letter == letters[column] ? 0 : 1)
        corner = row[column + 1]
        row[column + 1] = min(changed, row[column] + 1, corner + 1)
      }
    }
    return row[letters.count]
  }
}
