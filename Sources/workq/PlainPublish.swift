internal import AMQP
internal import WorkQueue

/// The ways in which scripts publish most, understood without the parser: words or `--lines`, the queue and the
/// broker, and what a loop or a cron job adds to them.
///
/// The parser finds options by reflection, and needs 5 ms for publish's, three times as long as a task
/// takes to a broker and back. Everything else than these few words is left to it; that both understand
/// the same by them, a test compares.
enum PlainPublish {
  /// The order, when these arguments are of the plain kind.
  static func order(_ arguments: [String]) -> PublishOrder? {
    guard arguments.first == "publish" else { return nil }
    var rest = arguments.dropFirst()
    var order = PublishOrder()
    while let argument = rest.popFirst() {
      switch argument {
      case "-l", "--lines": order.input.separator = InputSettings.newline
      case "--spool": order.spool.isUsed = true
      case "--print-id": order.delivery.printsID = true
      case let option where option.hasPrefix("-"):
        guard let value = rest.popFirst(), !value.hasPrefix("-"), take(option, value, &order) else {
          return nil
        }
      default: order.words.append(argument)
      }
    }
    // What is wrong with this the parser can say.
    return order.input.splits && !order.words.isEmpty ? nil : order
  }

  /// Notes an option with a value.
  ///
  /// - Returns: whether that is of the plain kind.
  private static func take(_ option: String, _ value: String, _ order: inout PublishOrder) -> Bool {
    switch option {
    case "-q", "--queue": order.connection.queue = value
    case "-u", "--url": order.connection.urls.append(value)
    case "-H", "--header":
      guard let header = TypedValue(argument: value) else { return false }
      var headers = order.properties.headers ?? FieldTable()
      headers[header.name] = header.value
      order.properties.headers = headers
    case "--delay":
      guard let delay = TimeSpan(argument: value)?.duration, delay <= WaitingQueue.longestDelay else {
        return false
      }
      order.delay = delay
    case "--retry-for":
      guard let time = TimeSpan(argument: value) else { return false }
      order.delivery.retryFor = time.duration
    default: return false
    }
    return true
  }
}
