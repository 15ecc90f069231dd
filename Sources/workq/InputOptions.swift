internal import ArgumentParser
internal import Glibc
internal import WorkQueue

/// Where tasks come from when they are not words.
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

  /// Whether an input may hold many tasks.
  var splits: Bool { lines || null || delimiter != nil || jsonl }

  func validate() throws {
    guard [lines, null, delimiter != nil, jsonl].count(where: { $0 }) < 2 else {
      throw ValidationError("--lines, --null, --delimiter and --jsonl exclude each other.")
    }
    if let delimiter {
      guard let bytes = Self.unescaped(RawArguments.bytes(of: delimiter)) else {
        throw ValidationError("--delimiter: '\\' is followed by n, t, r, 0, '\\' or xHH.")
      }
      guard !bytes.isEmpty else { throw ValidationError("--delimiter is empty.") }
    }
    guard failedTo == nil || splits else {
      throw ValidationError("--failed-to needs --lines, --null, --delimiter or --jsonl.")
    }
    guard file.count(where: { $0 == "-" }) < 2 else { throw ValidationError("stdin can be read only once.") }
  }

  /// What separates the records; empty when each input is one task.
  var separator: [UInt8] {
    if lines || jsonl { return [UInt8(ascii: "\n")] }
    if null { return [0] }
    return delimiter.flatMap { Self.unescaped(RawArguments.bytes(of: $0)) } ?? []
  }

  /// The files, or stdin.
  var inputs: [RecordReader.Input] {
    guard !file.isEmpty else { return [.standardInput] }
    return file.map { $0 == "-" ? .standardInput : .file(path: $0) }
  }

  /// Finds out before anything is sent whether the files can be read.
  func checkFiles() throws(Failure) {
    for path in file where path != "-" {
      guard unsafe access(path, R_OK) == 0 else {
        throw Failure(.noInput, "cannot read '\(path)': \(unsafe String(cString: strerror(errno)))")
      }
    }
  }

  /// The file of `--failed-to`, made or emptied.
  func failedRecords() throws(Failure) -> FailedRecords? {
    guard let failedTo else { return nil }
    return try FailedRecords(path: failedTo, delimiter: separator, inputs: file + ["/dev/stdin"])
  }

  /// The sum of the inputs' sizes in bytes, where all are files.
  var totalBytes: Int? {
    guard !file.isEmpty else { return StandardStreams.inputSize }
    var total = 0
    for path in file {
      var status = stat()
      guard path != "-", unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        return nil
      }
      total += Int(status.st_size)
    }
    return total
  }

  /// The bytes that a text with backslashes stands for; nil when it is malformed.
  static func unescaped(_ text: [UInt8]) -> [UInt8]? {
    var (result, rest) = ([UInt8](), text[...])
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      switch rest.popFirst().map({ Character(Unicode.Scalar($0)) }) {
      case "n": result.append(10)
      case "t": result.append(9)
      case "r": result.append(13)
      case "0": result.append(0)
      case "\\": result.append(UInt8(ascii: "\\"))
      case "x":
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16)
        else { return nil }
        rest = rest.dropFirst(2)
        result.append(value)
      default: return nil
      }
    }
    return result
  }
}
