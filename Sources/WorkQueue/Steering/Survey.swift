package import AMQP

/// How a queue was found.
package struct QueueReading: Equatable, Sendable {
  package let member: QueueFamily.Member
  /// nil when there is no such queue.
  package let status: Queue.Status?

  package init(member: QueueFamily.Member, status: Queue.Status?) {
    (self.member, self.status) = (member, status)
  }
}

/// Looks at families of queues by passive declarations alone, which change nothing.
///
/// A broker closes the channel over each queue that is missing, and writes a line into its log. So a survey
/// that is repeated looks for those again only now and then.
package struct Survey {
  /// How long a missing work queue, and another missing one, is not looked for again.
  private static let pauses = (work: Duration.seconds(10), others: Duration.seconds(60))

  private let families: [QueueFamily]
  private var absentUntil: [String: Deadline] = [:]

  package init(of families: [QueueFamily]) {
    self.families = families
  }

  /// The work queues, whether they exist or not, each followed by those of its others that exist.
  package mutating func take(_ connection: inout Connection) throws(AMQPError) -> [QueueReading] {
    var readings: [QueueReading] = []
    for family in families {
      for member in family.members {
        let status = try look(at: member, &connection)
        guard status != nil || member.role == .work else { continue }
        readings.append(QueueReading(member: member, status: status))
      }
    }
    return readings
  }

  private mutating func look(
    at member: QueueFamily.Member, _ connection: inout Connection
  ) throws(AMQPError) -> Queue.Status? {
    if let until = absentUntil[member.name], !until.hasPassed { return nil }
    let status = try connection.status(ofQueue: member.name)
    let pause = member.role == .work ? Self.pauses.work : Self.pauses.others
    absentUntil[member.name] = status == nil ? .after(pause) : nil
    return status
  }
}
