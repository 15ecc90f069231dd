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
}
