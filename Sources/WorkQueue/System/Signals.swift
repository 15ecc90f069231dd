package import AMQP
internal import CSystem
internal import Glibc
internal import Synchronization

/// Where the handler writes the numbers of signals; -1 means nowhere.
private let stopEnd = Atomic<Int32>(-1)
/// The eventfds for children that ended, and for requests to be ended.
private let childCounter = Atomic<Int32>(-1)
private let interruptCounter = Atomic<Int32>(-1)
/// The first signal that has asked to stop; 0 means none.
private let firstStop = Atomic<Int32>(0)
/// How many more stop signals until requests end, and the set of stop signals: bit N - 1 is signal N.
private let signalsUntilInterrupt = Atomic<Int>(0)
private let stopMask = Atomic<UInt64>(0)

/// The signals that ask a worker to stop, and those of its children, on descriptors that its loop can wait for.
///
/// 1. The handler only writes: everything else happens in the loop.
/// 2. A signal that was ignored at our start stays ignored (nohup, a shell's background job); one that our parent
///    left blocked is unblocked.
/// 3. SIGPIPE and SIGXFSZ are ignored: the write fails instead.
/// 4. A signal ends attempts to connect; after the number of signals given to `init`, requests end, too.
/// 5. `die(by:)` ends the process so that its parent sees the signal.
package struct Signals: ~Copyable {
  /// All signals that would end a process silently, except those of faults.
  package static let ending =
    [
      SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR2, SIGXCPU, SIGPOLL, SIGPWR,
      SIGSTKFLT,
    ]
    + Array(34...64)  // the real-time ones

  private let arrivals: (read: Int32, write: Int32)
  private let children: Int32
  private let interrupts: Int32
  private var handled: [Int32] = []

  /// Starts to catch the signals, and SIGCHLD; only one of these may exist at a time.
  ///
  /// - Parameters:
  ///   - stops: the signals that ask to stop.
  ///   - others: other signals to report.
  ///   - count: after how many stop signals requests end, too.
  /// - Throws: `shortage`, when there are no descriptors left.
  package init(_ stops: [Int32], others: [Int32] = [], requestsEndAfter count: Int) throws(AMQPError) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    unsafe socketpair(AF_UNIX, type, 0, &ends)
    ends += [csystem_event_counter(), csystem_event_counter()]
    guard ends.allSatisfy({ $0 >= 0 }) else {
      let error = AMQPError(code: errno, .protocolViolation, "listen for signals")
      for end in ends where end >= 0 { close(end) }
      throw error
    }
    (arrivals, children, interrupts) = ((ends[0], ends[1]), ends[2], ends[3])
    stopEnd.store(arrivals.write, ordering: .relaxed)
    stopMask.store(stops.reduce(0) { $0 | 1 << UInt64($1 - 1) }, ordering: .relaxed)
    childCounter.store(children, ordering: .relaxed)
    interruptCounter.store(interrupts, ordering: .relaxed)
    signalsUntilInterrupt.store(count, ordering: .relaxed)
    firstStop.store(0, ordering: .relaxed)
    Interruption.begin(attempt: arrivals.read, request: interrupts)
    for signal in stops + others + [SIGCHLD] where catchSignal(signal) { handled.append(signal) }
    var open = sigset_t()
    unsafe sigemptyset(&open)
    for signal in handled { unsafe sigaddset(&open, signal) }
    unsafe pthread_sigmask(SIG_UNBLOCK, &open, nil)
    // So that a write fails instead of ending the process: the reader is gone, or the file is too large.
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
  }

  deinit {
    for number in handled + [SIGPIPE, SIGXFSZ] { signal(number, SIG_DFL) }
    stopEnd.store(-1, ordering: .relaxed)
    childCounter.store(-1, ordering: .relaxed)
    interruptCounter.store(-1, ordering: .relaxed)
    Interruption.begin(attempt: -1, request: -1)
    for end in [arrivals.read, arrivals.write, children, interrupts] { close(end) }
  }

  /// The first signal that has asked to stop.
  package static var stop: Int32? {
    let number = firstStop.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Readable when a signal has asked to stop.
  package var descriptor: Int32 { arrivals.read }
  /// Readable when a child may have ended.
  package var childDescriptor: Int32 { children }

  /// The signals that have arrived since the last call, in their order.
  package func receive() -> [Int32] {
    Self.drain(arrivals.read)
  }

  /// Resets the counter of ended children: the caller then checks each of its own.
  package func receiveChildren() {
    _ = Self.drain(children)
  }

  /// The name of a signal that asks to stop.
  package static func name(of signal: Int32) -> String {
    [SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGTERM: "SIGTERM"][signal] ?? "signal \(signal)"
  }

  /// Ends the process by the signal itself, so that a shell sees 128+N, and stops its loop, too.
  package static func die(by number: Int32) -> Never {
    signal(number, SIG_DFL)
    raise(number)
    exit(128 + number)  // for a signal that does not end a process by default
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
    // If SIGCHLD is ignored, the kernel reaps children before we learn how they ended.
    if isIgnored(action) && number != SIGTERM && number != SIGCHLD { return false }
    action = sigaction()
    action.sa_flags = SA_RESTART
    unsafe action.__sigaction_handler.sa_handler = { number in
      let saved = errno
      if number == SIGCHLD {
        count(childCounter.load(ordering: .relaxed))
      } else {
        var byte = UInt8(truncatingIfNeeded: number)
        let asksToStop = stopMask.load(ordering: .relaxed) & 1 << UInt64(number - 1) != 0
        if asksToStop { _ = firstStop.compareExchange(expected: 0, desired: number, ordering: .relaxed) }
        _ = unsafe write(stopEnd.load(ordering: .relaxed), &byte, 1)
        if asksToStop, signalsUntilInterrupt.wrappingSubtract(1, ordering: .relaxed).newValue == 0 {
          Interruption.endRequests()
          count(interruptCounter.load(ordering: .relaxed))
        }
      }
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

/// Adds one to an eventfd; async-signal-safe.
private func count(_ counter: Int32) {
  var one: UInt64 = 1
  _ = unsafe write(counter, &one, 8)
}
