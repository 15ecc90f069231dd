/// Where tasks go, and how sure of it we want to be.
struct DeliverySettings: Equatable {
  /// nil is straight to the queue.
  var exchange: String?
  var routingKey: String?
  /// Whether a missing queue is made.
  var declares = true
  var confirms = true
  var confirmTimeout = Duration.seconds(30)
  /// How long what may pass is tried again.
  var retryFor = Duration.zero
  /// With so many tasks waiting already, nothing is published.
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
