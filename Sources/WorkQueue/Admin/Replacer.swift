internal import AMQP

/// Replaces tasks that were only looked at by copies at the end of their queue, so that looks cannot bring them to a
/// quorum queue's delivery limit.
package enum Replacer {
  /// The broker acts on up to this number of acknowledgements at once, for every type of queue: see
  /// `ackBarrier(of:within:)`.
  static let fewAcks = 16

  /// What became of the tasks.
  package struct Result: Equatable, Sendable {
    package var replaced = 0
    /// Why other tasks were returned as they were; nil when there are none.
    package var refusal: String?
  }

  /// Whether one more return may lose the task, or make it look like one that kills its workers.
  static func mustReplace(_ task: Delivery, on version: BrokerVersion?) -> Bool {
    guard let version, version.countsReturns else { return false }
    let history = task.history
    return history.starts > 0
      || version.limitsDeliveries && history.returns >= DeliveryHistory.suspiciousReturns
  }

  /// Publishes the copies, and acknowledges the originals of the confirmed ones; the others are left to be returned.
  ///
  /// A failure to publish is not thrown; it is the reason why others were not replaced.
  ///
  /// - Returns: the tasks that were replaced, and why others were not.
  static func replace(
    _ tasks: [Delivery], in queue: String, on connection: inout Connection, via addresses: [Address],
    _ options: Connection.Options
  ) throws(AMQPError) -> (tags: Set<Delivery.Tag>, refusal: String?) {
    var (confirmed, refusal): (Set<Delivery.Tag>, String?) = ([], nil)
    do throws(AMQPError) {
      var sender = Sender<MovedTask>(SenderOptions(addresses, options)) { _ in }
      for task in tasks {
        let copy = task.replacement(in: queue, starts: task.history.starts)
        sender.add(MovedTask(task.tag, copy, to: queue, isReplacement: true))
      }
      while sender.pending > 0 {
        try sender.flush()
        guard let (parcel, reply) = try sender.next() else {
          try sender.wait()
          continue
        }
        switch reply {
        case .confirmed: confirmed.insert(parcel.item.tag)
        case .unroutable(let reason), .refused(let reason), .declined(let reason), .missing(let reason):
          refusal = reason
        }
      }
      sender.disconnect()
    } catch {
      refusal = error.detail
    }
    for tag in confirmed { try connection.acknowledge(tag) }
    return (confirmed, refusal)
  }
}
