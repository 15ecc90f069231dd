internal import AMQP

/// Why a command fails: an exit code, and a message of one line.
struct Failure: Error {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// An error at a broker: its address, the operation, the reason, and what to do.
  init(_ error: AMQPError, at location: String) {
    let hint = Self.hint(error).map { " (\($0))" } ?? ""
    self.init(
      ExitStatus(error.kind), "\(location): cannot \(error.operation): \(error.detail)\(hint)")
  }

  /// What to do.
  static func hint(_ error: AMQPError) -> String? {
    switch error.kind {
    case .unreachable: "is RabbitMQ running there? --url or WORKQ_URL names another broker"
    case .shortage: "try again later, or raise the limit: ulimit -n"
    case .noBroker:
      "is this an AMQP port, usually 5672, or 5671 for amqps? --url or WORKQ_URL names another broker"
    case .unresolvable: "check the host in --url or WORKQ_URL"
    case .accessRefused: "check the user, the password, the virtual host, and what the user may do there"
    case .notFound where error.operation == "publish": "check the exchange's name: workq creates no exchanges"
    case .notFound: "check the name; 'workq declare' creates a queue"
    case .preconditionFailed: "use the queue as it is, or delete it and declare it again"
    case .lost, .timedOut, .unavailable: "try again later"
    case .connectionRefused: "the broker accepts no connection for now; try again later"
    case .locked: "another connection has exclusive use of it; try again later"
    case .unroutable: "check the exchange's bindings and the routing key"
    case .unsupported where error.detail.contains(" is deprecated"): "this broker no longer permits it"
    case .unsupported: "queues of its type do not have this"
    case .tooLarge: messageLimit(error.detail)
    case .badAddress, .badFile, .tls, .interrupted, .protocolViolation: nil
    }
  }

  /// The default limit on a task's size, and where it is set; nil when the broker's text is about something else.
  static func messageLimit(_ reason: String) -> String? {
    guard reason.contains("message size "), reason.contains(" is larger than ") else { return nil }
    return "max_message_size in rabbitmq.conf: 16 MiB by default in RabbitMQ 4, 128 MiB in 3.x"
  }
}
