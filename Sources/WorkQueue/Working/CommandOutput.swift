internal import Glibc

/// How the output of commands that run side by side is kept apart.
package enum OutputMode: String, CaseIterable, Sendable {
  /// The command writes to our stdout and stderr itself.
  case passthrough
  /// Each line comes at once, with the task's number in front.
  case tagged
  /// All that a task has written comes when it has ended.
  case grouped
  /// The same, byte for byte, also without a line's end.
  case captured
}

/// Which of a command's two outputs.
package enum OutputStream: Equatable, Sendable {
  case stdout
  case stderr
}

/// Where one run of the command writes to.
final class CommandOutput {
  typealias Sink = (OutputStream, ArraySlice<UInt8>) -> Void

  /// So much of the end of stderr goes with a task that has failed.
  private static let tailSize = 1024
  /// What is read of a pipe in one go, in bytes, so that a flood delays nothing else.
  private static let largestTurn = 1 << 18

  /// What becomes the command's stdout and stderr.
  private(set) var writeEnds = (stdout: STDOUT_FILENO, stderr: STDERR_FILENO)
  private let mode: OutputMode
  /// Files that the command appends to, or pipes that we read; empty for passthrough.
  private var readEnds: [(stream: OutputStream, descriptor: Int32, lines: TaggedLines)] = []
  private var tail: [UInt8] = []

  init(_ mode: OutputMode, number: Int, in directory: String) throws(SystemError) {
    self.mode = mode
    switch mode {
    case .passthrough: return
    case .grouped, .captured:
      for stream in [OutputStream.stdout, .stderr] {
        let file = try Files.empty(in: directory)
        readEnds.append((stream, file, TaggedLines(number)))
        setWriteEnd(of: stream, file)
      }
    case .tagged:
      for stream in [OutputStream.stdout, .stderr] {
        let (read, write) = try Files.pipe()
        readEnds.append((stream, read, TaggedLines(number)))
        setWriteEnd(of: stream, write)
      }
    }
  }

  deinit {
    if mode == .tagged { began() }
    for (_, descriptor, _) in readEnds { close(descriptor) }
  }

  /// The descriptors that have something to read now and then.
  var descriptors: [Int32] { mode == .tagged ? readEnds.map(\.descriptor) : [] }

  /// The command has its ends: a pipe ends when those do.
  func began() {
    guard mode == .tagged else { return }
    for end in [writeEnds.stdout, writeEnds.stderr] where end > STDERR_FILENO { close(end) }
    writeEnds = (STDOUT_FILENO, STDERR_FILENO)
  }

  /// Hands on what has been written, as far as it is to be shown now.
  func readLines(_ sink: Sink) {
    guard mode == .tagged else { return }
    for index in readEnds.indices.reversed() where !readSome(index, sink) {
      finishLines(index, sink)
      close(readEnds.remove(at: index).descriptor)
    }
  }

  /// Hands on the rest, after the command's end; nothing comes after it.
  ///
  /// - Returns: the last of what was written to stderr, where it came by us.
  func finish(_ sink: Sink) -> [UInt8] {
    switch mode {
    case .passthrough: break
    case .tagged:
      readLines(sink)
      for index in readEnds.indices { finishLines(index, sink) }
    case .grouped, .captured:
      for (stream, file, _) in readEnds { copy(file, stream, sink) }
    }
    return tail
  }

  private func setWriteEnd(of stream: OutputStream, _ descriptor: Int32) {
    switch stream {
    case .stdout: writeEnds.stdout = descriptor
    case .stderr: writeEnds.stderr = descriptor
    }
  }

  /// Reads what is there, up to `largestTurn`; a pipe holds less, once nobody writes to it any more.
  ///
  /// - Returns: false when nothing will come any more.
  private func readSome(_ index: Int, _ sink: Sink) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var total = 0
    while total < Self.largestTurn {
      let count = unsafe read(readEnds[index].descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return count < 0 }
      total += count
      let stream = readEnds[index].stream
      keepTail(stream, buffer[..<count])
      let lines = readEnds[index].lines.add(buffer[..<count])
      if !lines.isEmpty { sink(stream, lines[...]) }
    }
    return true
  }

  private func finishLines(_ index: Int, _ sink: Sink) {
    let lines = readEnds[index].lines.finish()
    if !lines.isEmpty { sink(readEnds[index].stream, lines[...]) }
  }

  private func copy(_ file: Int32, _ stream: OutputStream, _ sink: Sink) {
    var (buffer, offset, last) = ([UInt8](repeating: 0, count: 65_536), 0, UInt8(ascii: "\n"))
    // So that the next task's output begins on a line of its own.
    defer { if mode == .grouped && last != UInt8(ascii: "\n") { sink(stream, [UInt8(ascii: "\n")]) } }
    while true {
      let count = unsafe pread(file, &buffer, buffer.count, offset)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      keepTail(stream, buffer[..<count])
      sink(stream, buffer[..<count])
      offset += count
      last = buffer[count - 1]
    }
  }

  private func keepTail(_ stream: OutputStream, _ bytes: ArraySlice<UInt8>) {
    guard stream == .stderr else { return }
    tail += bytes.suffix(Self.tailSize)
    tail.removeFirst(max(0, tail.count - Self.tailSize))
  }
}

/// Cuts output into lines with a task's number in front of each.
struct TaggedLines {
  /// What has no end by then is shown as if it had.
  private static let longestLine = 65_536

  private let tag: [UInt8]
  private var rest: [UInt8] = []

  init(_ number: Int) {
    tag = Array("[\(number)] ".utf8)
  }

  /// Takes bytes in.
  ///
  /// - Returns: the lines that are complete now.
  mutating func add(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var lines: [UInt8] = []
    var bytes = bytes
    while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
      lines += tag + rest + bytes[...end]
      rest.removeAll(keepingCapacity: true)
      bytes = bytes[(end + 1)...]
    }
    rest += bytes
    if rest.count >= Self.longestLine { lines += finish() }
    return lines
  }

  /// The last line, which nothing ended; nothing when there is none.
  mutating func finish() -> [UInt8] {
    guard !rest.isEmpty else { return [] }
    defer { rest.removeAll(keepingCapacity: true) }
    return tag + rest + [UInt8(ascii: "\n")]
  }
}
