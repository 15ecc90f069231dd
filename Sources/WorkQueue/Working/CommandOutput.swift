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
  /// Maximum bytes passed on per turn, so that a flood delays nothing else.
  static let largestTurn = 1 << 18

  /// An output of the command that we pass on.
  private struct Source {
    let stream: OutputStream
    /// A file that the command appends to, or a pipe or terminal that we read.
    let descriptor: Int32
    /// Prefixes the lines; nil unless they are tagged.
    var lines: TaggedLines?
    /// Whether its last bytes are kept.
    let hasTail: Bool
    /// The number of bytes passed on: of a file, or of a pipe since the command ended.
    var offset = 0
    /// The last byte that was passed on of a file.
    var last = UInt8(ascii: "\n")
    /// Whether our own output accepted no more of it when we last tried.
    var isBlocked = false
  }

  /// The command's stdout and stderr.
  ///
  /// We keep pipes open, too: else their end would wake us up just before the command has exited.
  private(set) var writeEnds = (stdout: STDOUT_FILENO, stderr: STDERR_FILENO)
  private let mode: OutputMode
  private let relay: OutputRelay
  private var sources: [Source] = []
  /// The last bytes of stderr, if we passed it on.
  private(set) var tail: [UInt8] = []

  init(
    _ mode: OutputMode, number: Int, in directory: String, relay: OutputRelay = .standard
  ) throws(SystemError) {
    (self.mode, self.relay) = (mode, relay)
    switch mode {
    case .passthrough:
      guard let (read, write) = try relay.open() else { return }
      sources.append(Source(stream: relay.stream, descriptor: read, hasTail: true))
      writeEnds = (relay.hasBoth ? write : STDOUT_FILENO, write)
    case .grouped, .captured:
      for stream in [OutputStream.stdout, .stderr] { add(stream, try Files.empty(in: directory)) }
    case .tagged:
      for stream in [OutputStream.stdout, .stderr] {
        let (read, write) = try Files.pipe()
        add(stream, read, TaggedLines(number))
        setWriteEnd(of: stream, write)
      }
    }
  }

  deinit {
    for source in sources { close(source.descriptor) }
    guard isRead else { return }
    if writeEnds.stdout > STDERR_FILENO && writeEnds.stdout != writeEnds.stderr { close(writeEnds.stdout) }
    if writeEnds.stderr > STDERR_FILENO { close(writeEnds.stderr) }
  }

  private func add(_ stream: OutputStream, _ descriptor: Int32, _ lines: TaggedLines? = nil) {
    sources.append(
      Source(stream: stream, descriptor: descriptor, lines: lines, hasTail: stream == .stderr))
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

  /// Whether `drain` waits until our own output accepts more.
  var isBlocked: Bool { sources.first?.isBlocked == true }

  /// Our own output accepts more.
  func unblock() {
    if !sources.isEmpty { sources[0].isBlocked = false }
  }

  /// Watches the descriptors that it reads, or our output while that is blocked.
  func watch(on loop: inout EventLoop) {
    for source in sources {
      if source.isBlocked {
        relay.watch(source.stream, on: &loop)
      } else if isRead {
        loop.watch(source.descriptor)
      }
    }
  }

  /// Whether there may be something to read, or to write.
  func isReady(_ ready: DescriptorSet) -> Bool {
    sources.contains { source in
      ready.contains(source.isBlocked ? relay.descriptor(of: source.stream) : source.descriptor)
    }
  }

  /// Passes on what was written, as far as it is to be shown now.
  func readLines(_ sink: Sink) {
    guard isRead else { return }
    for index in sources.indices.reversed() {
      var room = Self.largestTurn
      _ = readSome(index, &room, sink)
    }
  }

  /// Passes on a part of the rest after the command's end; later output is ignored.
  ///
  /// - Parameters:
  ///   - room: the number of bytes that may be passed on.
  ///   - sink: where they go.
  /// - Returns: whether that was all; false without room, or while our own output accepts no more.
  func drain(_ room: inout Int, _ sink: Sink) -> Bool {
    while let source = sources.first {
      if isRead {
        // A pipe holds less once the command does not write to it any more.
        room = min(room, Self.largestTurn - source.offset)
        let before = room
        let isEmpty = readSome(0, &room, sink)
        sources[0].offset += before - room
        guard isEmpty || sources[0].offset >= Self.largestTurn else { return false }
        finishLines(0, sink)
      } else {
        guard copySome(&room, sink) else { return false }
        // So that the next task's output begins on a new line.
        if mode == .grouped && sources[0].last != UInt8(ascii: "\n") {
          sink(source.stream, [UInt8(ascii: "\n")])
        }
      }
      close(sources.removeFirst().descriptor)
    }
    return true
  }

  /// Reads what is there, up to `room`.
  ///
  /// - Returns: whether that was all; false without room, or while our own output accepts no more.
  private func readSome(_ index: Int, _ room: inout Int, _ sink: Sink) -> Bool {
    let (descriptor, stream) = (sources[index].descriptor, sources[index].stream)
    let size = sources[index].lines?.largestPiece ?? OutputRelay.pieceSize
    sources[index].isBlocked = false
    if mode == .passthrough { relay.resize(descriptor) }
    while room > 0 {
      sources[index].isBlocked = !relay.takesMore(stream)
      if sources[index].isBlocked { return false }
      let bytes = Files.read(size, from: descriptor)
      guard !bytes.isEmpty else { return true }
      room -= bytes.count
      keepTail(sources[index].hasTail, bytes[...])
      let shown = sources[index].lines?.add(bytes[...]) ?? bytes
      if !shown.isEmpty { sink(stream, shown[...]) }
    }
    return false
  }

  /// Passes on a part of the first file.
  ///
  /// - Returns: whether that was all.
  private func copySome(_ room: inout Int, _ sink: Sink) -> Bool {
    let source = sources[0]
    // Captured output is not written now.
    let isWritten = mode == .grouped
    var buffer = [UInt8](repeating: 0, count: isWritten ? OutputRelay.pieceSize : 65_536)
    while true {
      guard room > 0 else { return false }
      sources[0].isBlocked = isWritten && !relay.takesMore(source.stream)
      if sources[0].isBlocked { return false }
      let count = unsafe pread(source.descriptor, &buffer, buffer.count, sources[0].offset)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return true }
      room -= count
      keepTail(source.hasTail, buffer[..<count])
      sink(source.stream, buffer[..<count])
      sources[0].offset += count
      sources[0].last = buffer[count - 1]
    }
  }

  private func finishLines(_ index: Int, _ sink: Sink) {
    let lines = sources[index].lines?.finish() ?? []
    if !lines.isEmpty { sink(sources[index].stream, lines[...]) }
  }

  private func keepTail(_ isKept: Bool, _ bytes: ArraySlice<UInt8>) {
    guard isKept else { return }
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
  /// Maximum bytes read at a time, so that its tagged lines fit in one write, even if all lines are empty.
  var largestPiece: Int { OutputRelay.pieceSize / (tag.count + 1) }

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
