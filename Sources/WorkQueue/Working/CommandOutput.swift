internal import Glibc

/// How the output of parallel commands is kept apart.
package enum OutputMode: String, CaseIterable, Sendable {
  /// The command's output goes to our stdout and stderr at once; see `OutputRelay`.
  case passthrough
  /// Each line is printed at once, prefixed with the task's number.
  case tagged
  /// A task's output is printed when the task has ended.
  case grouped
  /// The same, byte for byte, without adding a newline.
  case captured

  /// Whether output is read while the command runs.
  var isReadMeanwhile: Bool { self == .tagged || self == .passthrough }
}

/// Which of a command's two outputs.
package enum OutputStream: Equatable, Sendable {
  case stdout
  case stderr
}

/// Where one run of the command writes to.
final class CommandOutput {
  typealias Sink = (OutputStream, ArraySlice<UInt8>) -> Void

  /// The number of last bytes of stderr that are stored with a failed task.
  private static let tailSize = 1024
  /// Maximum bytes read from a pipe per turn, so that a flood delays nothing else.
  private static let largestTurn = 1 << 18

  /// An output of the command that we pass on.
  private struct Source {
    let stream: OutputStream
    /// A file that the command appends to, or a pipe or terminal that we read.
    let descriptor: Int32
    var lines: TaggedLines
    /// Whether its last bytes are kept.
    let hasTail: Bool
  }

  /// The command's stdout and stderr.
  private(set) var writeEnds = (stdout: STDOUT_FILENO, stderr: STDERR_FILENO)
  private let mode: OutputMode
  private let relay: OutputRelay
  private var sources: [Source] = []
  private var tail: [UInt8] = []
  /// Whether our own output accepts no more of what is passed on.
  private var isBlocked = false

  init(
    _ mode: OutputMode, number: Int, in directory: String, relay: OutputRelay = .standard
  ) throws(SystemError) {
    (self.mode, self.relay) = (mode, relay)
    switch mode {
    case .passthrough:
      guard let (read, write) = try relay.open() else { return }
      sources.append(
        Source(stream: relay.stream, descriptor: read, lines: TaggedLines(number), hasTail: true))
      writeEnds = (relay.hasBoth ? write : STDOUT_FILENO, write)
    case .grouped, .captured:
      for stream in [OutputStream.stdout, .stderr] { add(stream, number, try Files.empty(in: directory)) }
    case .tagged:
      for stream in [OutputStream.stdout, .stderr] {
        let (read, write) = try Files.pipe()
        add(stream, number, read)
        setWriteEnd(of: stream, write)
      }
    }
  }

  deinit {
    began()
    for source in sources { close(source.descriptor) }
  }

  private func add(_ stream: OutputStream, _ number: Int, _ descriptor: Int32) {
    sources.append(
      Source(
        stream: stream, descriptor: descriptor, lines: TaggedLines(number), hasTail: stream == .stderr))
    setWriteEnd(of: stream, descriptor)
  }

  private func setWriteEnd(of stream: OutputStream, _ descriptor: Int32) {
    switch stream {
    case .stdout: writeEnds.stdout = descriptor
    case .stderr: writeEnds.stderr = descriptor
    }
  }

  private var isRead: Bool { mode.isReadMeanwhile }

  /// The descriptors to read from while the command runs.
  var descriptors: [Int32] { isRead ? sources.map(\.descriptor) : [] }

  /// The command has its ends of the pipes: closes ours, so that the pipes end with the command's.
  func began() {
    guard isRead else { return }
    for end in Set([writeEnds.stdout, writeEnds.stderr]) where end > STDERR_FILENO { close(end) }
    writeEnds = (STDOUT_FILENO, STDERR_FILENO)
  }

  /// Watches the descriptors that it reads, or our output while that is blocked.
  func watch(on loop: inout EventLoop) {
    if isBlocked { return relay.watch(on: &loop) }
    for descriptor in descriptors { loop.watch(descriptor) }
  }

  /// Whether there may be something to read.
  func isReady(_ ready: some Sequence<Int32>) -> Bool {
    isBlocked ? relay.isReady(ready) : descriptors.contains { ready.contains($0) }
  }

  /// Passes on what was written, as far as it is to be shown now.
  func readLines(_ sink: Sink) {
    guard isRead else { return }
    for index in sources.indices.reversed() where !readSome(index, hasEnded: false, sink) {
      finishLines(index, sink)
      close(sources.remove(at: index).descriptor)
    }
  }

  /// Passes on the rest after the command's end; later output is ignored.
  ///
  /// - Returns: the last bytes of stderr, if we passed it on.
  func finish(_ sink: Sink) -> [UInt8] {
    for index in sources.indices {
      if isRead {
        _ = readSome(index, hasEnded: true, sink)
        finishLines(index, sink)
      } else {
        copy(index, sink)
      }
    }
    return tail
  }

  /// Reads what is available, up to `largestTurn`; a pipe without writers holds less.
  ///
  /// - Returns: false at the end.
  private func readSome(_ index: Int, hasEnded: Bool, _ sink: Sink) -> Bool {
    let (source, isRelayed) = (sources[index], mode == .passthrough)
    var buffer = [UInt8](repeating: 0, count: isRelayed ? OutputRelay.pieceSize : 65_536)
    var total = 0
    if isRelayed { relay.resize(source.descriptor) }
    while total < Self.largestTurn {
      isBlocked = isRelayed && !hasEnded && !relay.takesMore
      if isBlocked { return true }
      let count = unsafe read(source.descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      // A pseudo-terminal that no process has open fails with EIO instead of an end of file.
      guard count > 0 else { return count < 0 && errno != EIO }
      total += count
      keepTail(source, buffer[..<count])
      let shown = isRelayed ? Array(buffer[..<count]) : sources[index].lines.add(buffer[..<count])
      if !shown.isEmpty { sink(source.stream, shown[...]) }
    }
    return true
  }

  private func finishLines(_ index: Int, _ sink: Sink) {
    let lines = sources[index].lines.finish()
    if !lines.isEmpty { sink(sources[index].stream, lines[...]) }
  }

  private func copy(_ index: Int, _ sink: Sink) {
    let source = sources[index]
    var (buffer, offset, last) = ([UInt8](repeating: 0, count: 65_536), 0, UInt8(ascii: "\n"))
    // So that the next task's output begins on a new line.
    defer {
      if mode == .grouped && last != UInt8(ascii: "\n") { sink(source.stream, [UInt8(ascii: "\n")]) }
    }
    while true {
      let count = unsafe pread(source.descriptor, &buffer, buffer.count, offset)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      keepTail(source, buffer[..<count])
      sink(source.stream, buffer[..<count])
      offset += count
      last = buffer[count - 1]
    }
  }

  private func keepTail(_ source: Source, _ bytes: ArraySlice<UInt8>) {
    guard source.hasTail else { return }
    tail += bytes.suffix(Self.tailSize)
    tail.removeFirst(max(0, tail.count - Self.tailSize))
  }
}

/// Splits output into lines, each prefixed with a task's number.
struct TaggedLines {
  /// An incomplete line of this length, in bytes, is printed as a line.
  private static let longestLine = 65_536

  private let tag: [UInt8]
  private var rest: [UInt8] = []

  init(_ number: Int) {
    tag = Array("[\(number)] ".utf8)
  }

  /// Adds bytes.
  ///
  /// - Returns: the lines that are now complete.
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

  /// The incomplete last line, with a newline added; empty when there is none.
  mutating func finish() -> [UInt8] {
    guard !rest.isEmpty else { return [] }
    defer { rest.removeAll(keepingCapacity: true) }
    return tag + rest + [UInt8(ascii: "\n")]
  }
}
