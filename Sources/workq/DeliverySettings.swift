/// Where tasks are published, and with which guarantees.
struct DeliverySettings: Equatable {
  /// nil means the default exchange, to the queue.
  var exchange: String?
  var routingKey: String?
  /// Whether a missing queue is created.
  var declares = true
  var confirms = true
  var confirmTimeout = Duration.seconds(30)
  /// How long to retry after temporary errors.
  var retryFor = Duration.zero
  /// If this number of tasks are waiting, nothing is published.
  var unlessWaiting: UInt32?
  var printsID = false

  func check() throws(UsageError) {
    guard exchange != nil || routingKey == nil else {
      throw UsageError("--routing-key needs --exchange; --queue names a queue")
    }
    guard unlessWaiting == nil || exchange == nil else {
      throw UsageError("--unless-waiting looks at the queue, which --exchange does not name")
    }
  }
}
