internal import ArgumentParser

/// The words that can follow the program's name.
enum Subcommands {
  static let names = Workq.configuration.subcommands.map { $0._commandName } + ["help"]

  /// Ends a call with a subcommand that does not exist: the parser would only call it unexpected.
  static func check(_ arguments: [String]) throws(Failure) {
    let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let word = words.first, !word.hasPrefix("-"), !names.contains(word) else { return }
    let hint = nearest(to: word).map { "; did you mean '\($0)'?" } ?? ""
    throw Failure(.usage, "there is no subcommand '\(Quoted.plain(word))'\(hint) (see 'workq --help')")
  }

  /// The one that somebody may have meant: its beginning was typed, or two letters are wrong at most.
  static func nearest(to word: String) -> String? {
    let begun = names.filter { word.count > 1 && $0.hasPrefix(word) }
    if let name = begun.first, begun.count == 1 { return name }
    let near = names.map { (name: $0, distance: distance(word.lowercased(), $0)) }
      .min { $0.distance < $1.distance }
    guard let near, near.distance <= 2, near.distance < word.count - 1 else { return nil }
    return near.name
  }

  /// How many letters have to be changed, put in or left out (Levenshtein).
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
