package import AMQP

/// The state of a queue.
package struct QueueReading: Equatable, Sendable {
  package let member: QueueFamily.Member
  /// nil when there is no such queue.
  package let status: Queue.Status?

  package init(member: QueueFamily.Member, status: Queue.Status?) {
    (self.member, self.status) = (member, status)
  }
}

/// Looks up families of queues by passive declare, which changes nothing.
///
/// For each missing queue, the broker closes the channel, and writes a line to its log. So a queue is not looked up if
/// its predecessor is missing, and repeated probes look up missing queues less and less often.
package struct QueueProbe {
  /// How long a missing work queue is not looked up again.
  private static let workQueuePause = Duration.seconds(10)
  /// The same for other queues: the first pause, which doubles each time, and the longest one.
  private static let pauses = Duration.seconds(60)...Duration.seconds(600)

  private struct Absence {
    let pause: Duration
    let end: Deadline
  }

  private let families: [QueueFamily]
  private var absences: [String: Absence] = [:]

  package init(of families: [QueueFamily]) {
    self.families = families
  }

  /// Every work queue, even if it is missing, followed by the other queues of its family that exist.
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
    if let predecessor = member.predecessor, absences[predecessor] != nil {
      absences[member.name] = absences[predecessor]
      return nil
    }
    let absence = absences[member.name]
    if let absence, !absence.end.hasPassed { return nil }
    let status = try connection.status(ofQueue: member.name)
    absences[member.name] = status == nil ? Self.absence(of: member.role, after: absence) : nil
    return status
  }

  private static func absence(of role: QueueFamily.Role, after absence: Absence?) -> Absence {
    let longer = absence.map { min($0.pause * 2, pauses.upperBound) } ?? pauses.lowerBound
    let pause = role == .work ? workQueuePause : longer
    return Absence(pause: pause, end: .after(pause))
  }
}
