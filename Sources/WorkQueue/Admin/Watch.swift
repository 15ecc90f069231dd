package import AMQP
internal import Glibc

/// Looks at queues periodically, until a signal stops it.
///
/// It reconnects with back-off, so that it also shows incidents that break connections.
package struct Watch: ~Copyable {
  /// Which queues to look at, on which brokers, and how often.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var families: [QueueFamily]
    /// From one look to the next.
    package var interval: Duration

    package init(
      addresses: [Address], connection: Connection.Options, families: [QueueFamily], interval: Duration
    ) {
      self.addresses = addresses
      self.connection = connection
      self.families = families
      self.interval = interval
    }
  }

  private static let longestPause = Duration.seconds(5)

  private let options: Options
  private let report: (WatchEvent) -> Void
  private var connection: Connection?
  private var probe: QueueProbe
  private var backoff = Backoff()
  private let start = Deadline.now
  private var next = Deadline.now

  /// `report` is called for each event, when it happens.
  package init(_ options: Options, report: @escaping (WatchEvent) -> Void) {
    self.options = options
    self.report = report
    probe = QueueProbe(of: options.families)
  }

  /// Watches until a signal asks it to stop.
  ///
  /// - Throws: why the first connection failed, or an error that a new connection would not fix.
  package mutating func run() throws(AMQPError) {
    try connect()
    // Before this point, signals have their default effect.
    let signals = try Signals([SIGINT, SIGTERM, SIGHUP], others: [SIGTSTP, SIGWINCH], requestsEndAfter: 1)
    report(.started)
    while true {
      try turn()
      EventLoop.wait(for: descriptors(signals.descriptor), until: nextDeadline())
      for signal in signals.receive() {
        switch signal {
        case SIGWINCH: report(.resized)
        case SIGTSTP:
          report(.suspended)
          raise(SIGSTOP)
          report(.started)
        default:
          connection?.close()
          connection = nil
          return
        }
      }
    }
  }

  private mutating func turn() throws(AMQPError) {
    do throws(AMQPError) {
      if next.hasPassed {
        if connection == nil { try connect() }
        try look()
      }
      while try connection?.nextEvent(within: .zero) != nil {}  // heartbeats, and the end of the connection
    } catch {
      guard error.isTransient else { throw error }
      connection = nil
      // A user waits at the terminal.
      let delay = min(backoff.delay(), Self.longestPause)
      next = .after(delay)
      report(.lost(error, retry: delay))
    }
  }

  private mutating func connect() throws(AMQPError) {
    connection = try Connection.open(firstOf: options.addresses, options.connection)
  }

  private mutating func look() throws(AMQPError) {
    guard var link = connection.take() else { return }
    let readings = try probe.take(&link)
    let address = link.address
    connection = consume link
    backoff.reset()
    next = max(next + options.interval, .now)
    report(.readings(readings, time: Deadline.now - start, address))
  }

  private mutating func descriptors(_ signals: Int32) -> [Int32] {
    guard let socket = connection?.descriptor else { return [signals] }
    return [signals, socket]
  }

  private mutating func nextDeadline() -> Deadline {
    min(next, connection?.nextService ?? .never)
  }
}

/// Events of a watch.
package enum WatchEvent {
  /// The watch starts, or continues after it was suspended.
  case started
  /// The state of the queues, and the time since the start.
  case readings([QueueReading], time: Duration, Address)
  /// The connection is lost, or reconnecting failed; the next attempt is in `retry`.
  case lost(AMQPError, retry: Duration)
  /// The terminal was resized.
  case resized
  /// The process is about to be suspended by the terminal.
  case suspended
}
