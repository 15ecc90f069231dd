package import AMQP
internal import Glibc

/// Reads records from files, one after the other, without blocking.
package struct RecordReader: ~Copyable {
  /// Where records come from.
  package enum Input: Equatable, Sendable {
    case standardInput
    case file(FilePath)
    /// A record in memory.
    case record([UInt8])

    /// For a message: "stdin", or the path in quotes.
    package var name: String {
      switch self {
      case .standardInput: "stdin"
      case .file(let path): "'\(path)'"
      case .record: "the command line"
      }
    }
  }

  /// The state of the input.
  package enum Reading: Equatable {
    case record([UInt8])
    /// Nothing yet: this descriptor becomes readable when there is.
    case wait(descriptor: Int32)
    case end
    /// This input cannot be read, with the system's message; the next call continues with the next input.
    case unreadable(Input, reason: String)
  }

  private static let chunk = 65_536

  private var inputs: Fifo<Input>
  /// The delimiter of records; empty means that each input is one record.
  private let delimiter: [UInt8]
  private var current: (input: Input, descriptor: Int32)?
  private var splitter: RecordSplitter
  /// Number of bytes read from all inputs.
  package private(set) var bytesRead = 0

  package init(_ inputs: [Input], delimiter: [UInt8]) {
    self.inputs = Fifo(inputs)
    self.delimiter = delimiter
    splitter = RecordSplitter(delimiter: delimiter)
  }

  deinit {
    if let current, current.input != .standardInput { close(current.descriptor) }
  }

  /// The next record, or why there is none.
  package mutating func next() -> Reading {
    while true {
      if let record = splitter.next() { return .record(record) }
      guard let current else {
        guard let input = inputs.popFirst() else { return .end }
        if let reading = open(input) { return reading }
        continue
      }
      guard isReadable(current.descriptor) else { return .wait(descriptor: current.descriptor) }
      switch read(current.descriptor) {
      case .success(true): continue
      case .success(false):
        finish()
        // Without a delimiter, an empty input is a record, too.
        if let rest = splitter.rest() ?? (delimiter.isEmpty ? [] : nil) { return .record(rest) }
      case .failure(let failure):
        finish()
        _ = splitter.rest()
        return .unreadable(current.input, reason: failure.reason)
      }
    }
  }

  /// The next record that has been read already; the end when there is none.
  package mutating func nextBuffered() -> Reading { splitter.next().map(Reading.record) ?? .end }

  /// Waits until the descriptor from `next()` becomes readable, or a signal asks to stop.
  package static func wait(for descriptor: Int32, until deadline: Deadline = .never) {
    EventLoop.wait(for: [descriptor, Interruption.attempt], until: deadline)
  }

  private mutating func open(_ input: Input) -> Reading? {
    switch input {
    case .record(let bytes): return .record(bytes)
    case .standardInput: current = (input, STDIN_FILENO)
    case .file(let path):
      let descriptor = unsafe Glibc.open(path.cString, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return .unreadable(input, reason: SystemFailure().reason) }
      current = (input, descriptor)
    }
    return nil
  }

  private mutating func finish() {
    if let current, current.input != .standardInput { close(current.descriptor) }
    current = nil
  }

  private func isReadable(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&entry, 1, 0) != 0
  }

  /// Reads a chunk.
  ///
  /// - Returns: false at the end of the input.
  private mutating func read(_ descriptor: Int32) -> Result<Bool, SystemFailure> {
    unsafe withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 16) { memory in
      while true {
        let count = unsafe Glibc.read(descriptor, memory.baseAddress, Self.chunk)
        if count < 0 && errno == EINTR { continue }
        if count < 0 && errno == EAGAIN { return .success(true) }  // another process has read it
        if count < 0 { return .failure(SystemFailure()) }
        unsafe splitter.append(UnsafeRawBufferPointer(rebasing: memory[..<count]))
        bytesRead += count
        return .success(count > 0)
      }
    }
  }
}

/// Why a system call failed, with the system's message.
struct SystemFailure: Error, Equatable {
  let reason: String

  /// For the last call, from errno.
  init() {
    reason = unsafe String(cString: strerror(errno))
  }
}
