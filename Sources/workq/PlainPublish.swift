/// The way in which scripts publish most: `publish [-q NAME] [-u URL] [-l] [WORD…]`, understood without
/// the parser.
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
      case "-q", "--queue":
        guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
        order.connection.queue = value
      case "-u", "--url":
        guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
        order.connection.urls.append(value)
      default:
        guard !argument.hasPrefix("-") else { return nil }
        order.words.append(argument)
      }
    }
    // What is wrong with this the parser can say.
    return order.input.splits && !order.words.isEmpty ? nil : order
  }
}
