internal import AMQP
internal import Glibc
internal import WorkQueue

/// Where tasks come from when they are not words.
struct InputSettings: Equatable {
  /// The options that split an input into records, as far as they were given.
  var recordOptions: [String] = []
  /// What separates the records; empty when each input is one task.
  var separator: [UInt8] = []
  /// "-" is stdin, and so is none.
  var files: [FilePath] = []
  /// Where the records are written that were not published.
  var failedTo: FilePath?
  /// Whether each record is a JSON object.
  var isJSON = false

  /// Whether an input may hold many tasks.
  var splits: Bool { !separator.isEmpty }

  /// Reads records that end with these bytes, as an option asks for.
  mutating func split(at separator: [UInt8], _ option: String) {
    self.separator = separator
    if !recordOptions.contains(option) { recordOptions.append(option) }
  }

  func check() throws(UsageError) {
    guard recordOptions.count < 2 else {
      throw UsageError("\(recordOptions[0]) and \(recordOptions[1]) exclude each other")
    }
    guard failedTo == nil || splits else {
      throw UsageError("--failed-to needs --lines, --null, --delimiter or --jsonl")
    }
    guard files.count(where: { $0 == "-" }) < 2 else { throw UsageError("stdin can be read only once") }
  }

  /// The files, or stdin.
  var inputs: [RecordReader.Input] {
    guard !files.isEmpty else { return [.standardInput] }
    return files.map { $0 == "-" ? .standardInput : .file($0) }
  }

  /// Finds out before anything is sent whether the files can be read.
  func checkFiles() throws(Failure) {
    for path in files where path != "-" {
      guard unsafe access(path.cString, R_OK) == 0 else {
        throw Failure(.noInput, "cannot read '\(path)': \(unsafe String(cString: strerror(errno)))")
      }
    }
  }

  /// The file of `--failed-to`, made or emptied.
  func failedRecords() throws(Failure) -> FailedRecords? {
    guard let failedTo else { return nil }
    return try FailedRecords(path: failedTo, delimiter: separator, inputs: files + ["/dev/stdin"])
  }

  /// The sum of the inputs' sizes in bytes, where all are files.
  var totalBytes: Int? {
    guard !files.isEmpty else { return StandardStreams.inputSize }
    var total = 0
    for path in files {
      var status = stat()
      guard path != "-", unsafe stat(path.cString, &status) == 0,
        status.st_mode & S_IFMT == S_IFREG
      else {
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
