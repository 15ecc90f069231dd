internal import Glibc

/// How the output of commands that run side by side is kept apart.
package enum OutputMode: String, CaseIterable, Sendable {
  /// The command writes to our stdout and stderr as if they were its own: see `OutputRelay`.
  case passthrough
  /// Each line comes at once, with the task's number in front.
  case tagged
  /// All that a task has written comes when it has ended.
  case grouped
  /// The same, byte for byte, also without a line's end.
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

  /// So much of the end of stderr goes with a task that has failed.
  private static let tailSize = 1024
  /// What is read of a pipe in one go, in bytes, so that a flood delays nothing else.
  private static let largestTurn = 1 << 18

  /// An output of the command's that comes by us.
  private struct Source {
    let stream: OutputStream
    /// A file that the command appends to, or a channel that we read.
    let descriptor: Int32
    var lines: TaggedLines
    /// Whether its end is kept.
    let hasTail: Bool
  }

  /// What becomes the command's stdout and stderr.
  private(set) var writeEnds = (stdout: STDOUT_FILENO, stderr: STDERR_FILENO)
  private let mode: OutputMode
  private let relay: OutputRelay
  private var sources: [Source] = []
  private var tail: [UInt8] = []
  /// Whether our own output takes no more of what is relayed.
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

  /// The descriptors that have something to read now and then.
  var descriptors: [Int32] { isRead ? sources.map(\.descriptor) : [] }

  /// The command has its ends: a channel ends when those do.
  func began() {
    guard isRead else { return }
    for end in Set([writeEnds.stdout, writeEnds.stderr]) where end > STDERR_FILENO { close(end) }
    writeEnds = (STDOUT_FILENO, STDERR_FILENO)
  }

  /// Watches what it reads, or what must take what it has read.
  func watch(on loop: inout EventLoop) {
    if isBlocked { return relay.watch(on: &loop) }
    for descriptor in descriptors { loop.watch(descriptor) }
  }

  /// Whether there may be something to read.
  func isReady(_ ready: some Sequence<Int32>) -> Bool {
    isBlocked ? relay.isReady(ready) : descriptors.contains { ready.contains($0) }
  }

  /// Hands on what has been written, as far as it is to be shown now.
  func readLines(_ sink: Sink) {
    guard isRead else { return }
    for index in sources.indices.reversed() where !readSome(index, hasEnded: false, sink) {
      finishLines(index, sink)
      close(sources.remove(at: index).descriptor)
    }
  }

  /// Hands on the rest, after the command's end; nothing comes after it.
  ///
  /// - Returns: the last of what was written to stderr, where it came by us.
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

  /// Reads what is there, up to `largestTurn`; a pipe holds less, once nobody writes to it any more.
  ///
  /// - Returns: false when nothing will come any more.
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
      // A terminal that nobody has open any more is an error, and no end.
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
    // So that the next task's output begins on a line of its own.
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
