internal import AMQP
internal import Glibc

/// The file of `--failed-to`: records that were not published, ready to be published again.
struct FailedRecords: ~Copyable {
  private let path: FilePath
  private let descriptor: Int32
  private let delimiter: [UInt8]
  private var isEmpty = true
  private var failure: String?

  /// Creates the file, or empties it.
  ///
  /// - Throws: when it cannot be written, or is one of the inputs.
  init(path: FilePath, delimiter: [UInt8], inputs: [FilePath]) throws(Failure) {
    let new = unsafe open(path.cString, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard new >= 0 else { throw Self.failed(path, unsafe String(cString: strerror(errno))) }
    if inputs.contains(where: { Self.isSame($0, new) }) {
      Glibc.close(new)
      throw Failure(.usage, "--failed-to '\(path)' is also an input: it would be lost")
    }
    _ = ftruncate(new, 0)  // a terminal or pipe has no length
    self.path = path
    descriptor = new
    self.delimiter = delimiter
  }

  mutating func write(_ record: [UInt8]) {
    isEmpty = false
    guard failure == nil else { return }
    let code = StandardStreams.write(record + delimiter, to: descriptor)
    if code != 0 { failure = unsafe String(cString: strerror(code)) }
  }

  /// Flushes the records to the disk, or removes the file if there are none.
  ///
  /// - Throws: when some of them could not be written.
  consuming func close() throws(Failure) {
    var status = stat()
    let isFile = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    if failure == nil && isFile && fsync(descriptor) != 0 {
      failure = unsafe String(cString: strerror(errno))
    }
    Glibc.close(descriptor)
    if isEmpty && isFile { unsafe unlink(path.cString) }
    if let failure { throw Self.failed(path, failure) }
  }

  private static func failed(_ path: FilePath, _ reason: String) -> Failure {
    Failure(.cannotCreate, "cannot write the failed records to '\(path)': \(reason)")
  }

  private static func isSame(_ input: FilePath, _ descriptor: Int32) -> Bool {
    var (one, other) = (stat(), stat())
    guard unsafe stat(input.cString, &one) == 0, unsafe fstat(descriptor, &other) == 0
    else { return false }
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino
      && one.st_mode & S_IFMT == S_IFREG
  }
}
