internal import Glibc
internal import Synchronization

/// Where the handler writes; -1 is nowhere.
private let writeEnd = Atomic<Int32>(-1)

/// The signals that ask a worker to stop, as bytes on a descriptor that its loop can wait for.
///
/// 1. The handler only writes the signal's number: everything else happens in the loop.
/// 2. A signal that was ignored when we started stays ignored (nohup, a shell's background job).
/// 3. `die(by:)` ends the process so that its parent sees the truth.
package struct Signals: ~Copyable {
  private let ends: (read: Int32, write: Int32)
  private var handled: [Int32] = []

  /// Starts to catch the signals; only one of these may exist at a time.
  package init(_ signals: [Int32]) {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let failure = unsafe socketpair(AF_UNIX, type, 0, &pair)
    precondition(failure == 0, "no descriptor left for the signals")
    ends = (pair[0], pair[1])
    writeEnd.store(ends.write, ordering: .relaxed)
    for signal in signals where catchSignal(signal) { handled.append(signal) }
  }

  deinit {
    for number in handled { signal(number, SIG_DFL) }
    writeEnd.store(-1, ordering: .relaxed)
    close(ends.read)
    close(ends.write)
  }

  /// Readable when a signal has arrived.
  package var descriptor: Int32 { ends.read }

  /// The signals that have arrived since the last call, in their order.
  package func receive() -> [Int32] {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(ends.read, &bytes, bytes.count)
    return bytes.prefix(max(count, 0)).map { Int32($0) }
  }

  /// Ends the process by the signal itself, so that a shell sees 128+N and stops its loop, too.
  package static func die(by number: Int32) -> Never {
    signal(number, SIG_DFL)
    raise(number)
    exit(128 + number)  // for a signal whose default is not to end
  }

  private func catchSignal(_ number: Int32) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    if isIgnored(action) && number != SIGTERM { return false }
    action = sigaction()
    action.sa_flags = SA_RESTART
    unsafe action.__sigaction_handler.sa_handler = { number in
      let saved = errno
      _ = unsafe write(writeEnd.load(ordering: .relaxed), [UInt8(truncatingIfNeeded: number)], 1)
      errno = saved
    }
    return unsafe sigaction(number, &action, nil) == 0
  }

  private func isIgnored(_ action: sigaction) -> Bool {
    let handler = unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    let ignore = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
    return handler == ignore
  }
}
