internal import AMQP

/// A delivery that is being worked on.
struct Job {
  let delivery: Delivery
  let started: Deadline
  /// When the work will be done.
  let due: Deadline

  /// Starts to pretend.
  init(_ delivery: Delivery, dot: Duration) {
    self.delivery = delivery
    started = .now
    due = started + FakeWork.duration(of: delivery.message.body, dot: dot)
  }
}
