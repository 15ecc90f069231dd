internal import AMQP

/// The exit codes: sysexits(3), as RabbitMQ's own tools use them.
enum ExitStatus: Int32 {
  case ok = 0
  /// A bounded worker has parked or dropped tasks.
  case tasksFailed = 1
  /// Some tasks of a batch were published, and some were not.
  case partial = 3
  case usage = 64
  /// A task was refused because of the task itself.
  case dataError = 65
  case noInput = 66
  /// No connection to the broker: it is unreachable, accepts none for now, or the connection was lost.
  case unavailable = 69
  /// A bug, or an unexpected reply from the broker.
  case software = 70
  /// The spool or another output file cannot be written.
  case cannotCreate = 73
  case ioError = 74
  /// A temporary failure: the broker did not reply in time, or refuses for now.
  case temporary = 75
  case accessRefused = 77
  /// A required queue does not exist, or exists with other properties.
  case configuration = 78

  init(_ kind: AMQPError.Kind) {
    self =
      switch kind {
      case .badAddress: .usage
      case .badFile: .noInput
      case .unresolvable, .unreachable, .noBroker, .tls, .lost, .connectionRefused: .unavailable
      case .timedOut, .interrupted, .locked, .shortage, .unavailable: .temporary
      case .accessRefused: .accessRefused
      case .notFound, .preconditionFailed, .unsupported: .configuration
      case .unroutable, .tooLarge: .dataError
      case .protocolViolation: .software
      }
  }
}
