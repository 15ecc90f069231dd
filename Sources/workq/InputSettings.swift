internal import AMQP
internal import Glibc
internal import WorkQueue

/// The inputs for tasks that are not given as words.
struct InputSettings: Equatable {
  /// The given options that split an input into records.
  var recordOptions: [String] = []
  /// The delimiter of records; empty when each input is one task.
  var separator: [UInt8] = []
  /// "-" is stdin, as is an empty list.
  var files: [FilePath] = []
  /// The file for records that were not published.
  var failedTo: FilePath?
  /// Whether each record is a JSON object.
  var isJSON = false

  /// Whether an input may hold many tasks.
  var splits: Bool { !separator.isEmpty }

  /// Sets the delimiter that an option requests.
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

  /// Checks that the files can be read, before anything is sent.
  func checkFiles() throws(Failure) {
    for path in files where path != "-" {
      guard unsafe access(path.cString, R_OK) == 0 else {
        throw Failure(.noInput, "cannot read '\(path)': \(unsafe String(cString: strerror(errno)))")
      }
    }
  }

  /// The file of `--failed-to`, created or emptied.
  func failedRecords() throws(Failure) -> FailedRecords? {
    guard let failedTo else { return nil }
    return try FailedRecords(path: failedTo, delimiter: separator, inputs: files + ["/dev/stdin"])
  }

  /// The sum of the inputs' sizes in bytes, if all are files.
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

  /// The bytes of a text with escape sequences; nil when it is malformed.
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
