internal import AMQP

/// A copy of a task for another queue, or for the end of its own.
struct MovedTask: Outgoing {
  /// The original's tag.
  let tag: Delivery.Tag
  let envelope: Envelope
  /// Whether the task stays in its queue, and was returned too often.
  let isReplacement: Bool
  var route: Route { .direct }

  init(_ tag: Delivery.Tag, _ copy: Message, to queue: String, isReplacement: Bool = false) {
    (self.tag, self.isReplacement) = (tag, isReplacement)
    envelope = Envelope(copy, routingKey: queue)
  }
}
