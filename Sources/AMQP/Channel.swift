internal import CRabbitMQ
internal import Synchronization

/// Sessions are counted over all connections of the process, so that no two have the same number.
private let sessions = Atomic<Int>(0)

/// The channel of a connection; each `channel.open` begins a new session.
struct Channel {
  static let number: amqp_channel_t = 1

  /// 0 before the first.
  private(set) var session = 0
  private(set) var isOpen = false
  /// Whether it is in confirm mode.
  private(set) var confirms = false
  /// Publish tags are counted from 1 in each session.
  private(set) var lastTag: UInt64 = 0

  mutating func open(_ writer: inout FrameWriter) throws(AMQPError) {
    var open = unsafe amqp_channel_open_t()
    try unsafe writer.append(AMQP_CHANNEL_OPEN_METHOD, on: Self.number, &open, "open a channel")
    self = Channel()
    isOpen = true
    session = sessions.wrappingAdd(1, ordering: .relaxed).newValue
  }

  /// Selects confirm mode (`confirm.select`), unless it is selected.
  mutating func selectConfirms(_ writer: inout FrameWriter) throws(AMQPError) {
    guard !confirms else { return }
    var select = amqp_confirm_select_t(nowait: 1)
    try unsafe writer.append(AMQP_CONFIRM_SELECT_METHOD, on: Self.number, &select, "ask for confirms")
    (confirms, lastTag) = (true, 0)
  }

  /// The tag of the message that was just published.
  mutating func countPublish() -> UInt64 {
    lastTag += 1
    return lastTag
  }

  /// The broker has closed it on our request.
  mutating func closed() { isOpen = false }

  /// Answers the broker's `channel.close`.
  mutating func confirmClose(_ writer: inout FrameWriter) throws(AMQPError) {
    isOpen = false
    var ok = amqp_channel_close_ok_t()
    try unsafe writer.append(
      AMQP_CHANNEL_CLOSE_OK_METHOD, on: Self.number, &ok, "confirm the channel's close")
  }
}
