internal import ArgumentParser

/// Where tasks come from when they are not words, as it is typed.
struct InputOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Read one task from each line.")
  var lines = false

  @Flag(
    name: [.customShort("0"), .long], help: "Read tasks that end with a NUL, as find -print0 writes them.")
  var null = false

  @Option(
    name: [.customShort("D"), .long],
    help: ArgumentHelp(
      "Read tasks that end with this text; it may hold \\n, \\t, \\r, \\0, \\\\ and \\xHH.", valueName: "text"
    ))
  var delimiter: String?

  @Flag(
    help: ArgumentHelp(
      "Read one JSON object from each line: 'body' or 'body_base64', and properties by their long names."))
  var jsonl = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Read this file instead of stdin; '-' is stdin. Repeatable.", valueName: "file"),
    completion: .file())
  var file: [String] = []

  @Option(
    help: ArgumentHelp(
      "Write the records that were not published to a file, ready to be published again.", valueName: "file"),
    completion: .file())
  var failedTo: String?

  func validate() throws {
    guard [lines, null, delimiter != nil, jsonl].count(where: { $0 }) < 2 else {
      throw ValidationError("--lines, --null, --delimiter and --jsonl exclude each other.")
    }
    if let delimiter {
      guard let bytes = InputSettings.unescaped(RawArguments.bytes(of: delimiter)) else {
        throw ValidationError("--delimiter: '\\' is followed by n, t, r, 0, '\\' or xHH.")
      }
      guard !bytes.isEmpty else { throw ValidationError("--delimiter is empty.") }
    }
    guard failedTo == nil || settings.splits else {
      throw ValidationError("--failed-to needs --lines, --null, --delimiter or --jsonl.")
    }
    guard file.count(where: { $0 == "-" }) < 2 else { throw ValidationError("stdin can be read only once.") }
  }

  var settings: InputSettings {
    var settings = InputSettings(files: file, failedTo: failedTo, isJSON: jsonl)
    if lines || jsonl {
      settings.separator = InputSettings.newline
    } else if null {
      settings.separator = [0]
    } else {
      settings.separator = delimiter.flatMap { InputSettings.unescaped(RawArguments.bytes(of: $0)) } ?? []
    }
    return settings
  }
}
