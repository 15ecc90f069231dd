package import AMQP
internal import Glibc
internal import Synchronization

/// Where the handler writes, of signals that ask to stop and of children that ended; -1 is nowhere.
private let stopEnd = Atomic<Int32>(-1)
private let childEnd = Atomic<Int32>(-1)

/// The signals that ask a worker to stop, and those of its children, as bytes on descriptors that its
/// loop can wait for.
///
/// 1. The handler only writes the signal's number: everything else happens in the loop.
/// 2. A signal that was ignored when we started stays ignored (nohup, a shell's background job); one
///    that our parent left blocked is let through.
/// 3. A reader that went away is an error of the write, not a death in the middle of everything.
/// 4. `die(by:)` ends the process so that its parent sees the truth.
package struct Signals: ~Copyable {
  private let stops: (read: Int32, write: Int32)
  private let children: (read: Int32, write: Int32)
  private var handled: [Int32] = []

  /// Starts to catch the signals, and SIGCHLD; only one of these may exist at a time.
  ///
  /// - Throws: `shortage`, when there are no descriptors left.
  package init(_ signals: [Int32]) throws(AMQPError) {
    let stops = try Self.pair()
    do throws(AMQPError) {
      children = try Self.pair()
    } catch {
      Self.close(stops)
      throw error
    }
    self.stops = stops
    stopEnd.store(stops.write, ordering: .relaxed)
    childEnd.store(children.write, ordering: .relaxed)
    for signal in signals + [SIGCHLD] where catchSignal(signal) { handled.append(signal) }
    var open = sigset_t()
    unsafe sigemptyset(&open)
    for signal in handled { unsafe sigaddset(&open, signal) }
    unsafe pthread_sigmask(SIG_UNBLOCK, &open, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  deinit {
    for number in handled + [SIGPIPE] { signal(number, SIG_DFL) }
    stopEnd.store(-1, ordering: .relaxed)
    childEnd.store(-1, ordering: .relaxed)
    Self.close(stops)
    Self.close(children)
  }

  /// Readable when a signal has asked to stop.
  package var descriptor: Int32 { stops.read }
  /// Readable when a child may have ended.
  package var childDescriptor: Int32 { children.read }

  /// The signals that have arrived since the last call, in their order.
  package func receive() -> [Int32] {
    Self.drain(stops.read)
  }

  /// Takes note of children: who calls looks at each of its own.
  package func receiveChildren() {
    _ = Self.drain(children.read)
  }

  /// Ends the process by the signal itself, so that a shell sees 128+N and stops its loop, too.
  package static func die(by number: Int32) -> Never {
    signal(number, SIG_DFL)
    raise(number)
    exit(128 + number)  // for a signal whose default is not to end
  }

  private static func pair() throws(AMQPError) -> (read: Int32, write: Int32) {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &pair) == 0 else {
      throw AMQPError(code: errno, .protocolViolation, "listen for signals")
    }
    return (pair[0], pair[1])
  }

  private static func close(_ pair: (read: Int32, write: Int32)) {
    Glibc.close(pair.read)
    Glibc.close(pair.write)
  }

  private static func drain(_ descriptor: Int32) -> [Int32] {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
      let count = unsafe read(descriptor, buffer.baseAddress, buffer.count)
      return unsafe buffer.prefix(max(count, 0)).map { Int32($0) }
    }
  }

  private func catchSignal(_ number: Int32) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    // An ignored SIGCHLD would have the kernel reap children before we learn how they ended.
    if isIgnored(action) && number != SIGTERM && number != SIGCHLD { return false }
    action = sigaction()
    action.sa_flags = SA_RESTART | SA_NOCLDSTOP
    unsafe action.__sigaction_handler.sa_handler = { number in
      let saved = errno
      if number != SIGCHLD && number != SIGUSR1 { ConnectionAttempt.interrupt() }
      let end = number == SIGCHLD ? childEnd.load(ordering: .relaxed) : stopEnd.load(ordering: .relaxed)
      var byte = UInt8(truncatingIfNeeded: number)
      _ = unsafe write(end, &byte, 1)
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
