internal import AMQP

/// Why a command ends without success: an exit code, and one line for people.
struct Failure: Error {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// What went wrong at a broker: where, during what, in whose words, and what to try next.
  init(_ error: AMQPError, at location: String) {
    let hint = Self.hint(error).map { " (\($0))" } ?? ""
    self.init(
      ExitStatus(error.kind), "\(location): cannot \(error.operation): \(error.detail)\(hint)")
  }

  /// What to try next.
  static func hint(_ error: AMQPError) -> String? {
    switch error.kind {
    case .unreachable: "is RabbitMQ running there? --url or WORKQ_URL names another broker"
    case .shortage: "try again later, or raise the limit: ulimit -n"
    case .noBroker:
      "is this an AMQP port, usually 5672, or 5671 for amqps? --url or WORKQ_URL names another broker"
    case .unresolvable: "check the host in --url or WORKQ_URL"
    case .accessRefused: "check the user, the password, the virtual host, and what the user may do there"
    case .notFound where error.operation == "publish": "check the exchange's name: workq makes none"
    case .notFound: "check the name; 'workq declare' makes a queue"
    case .preconditionFailed: "use the queue as it is, or delete it and declare it anew"
    case .lost, .timedOut: "try again later"
    case .locked: "another connection has it for itself; try again later"
    case .unroutable: "check the exchange's bindings and the routing key"
    case .unsupported: "queues of its type do not have this"
    case .badAddress, .badFile, .tls, .tooLarge, .protocolViolation: nil
    }
  }
}
