internal import AMQP
internal import WorkQueue

/// The parked tasks by reason, as a table or as JSON.
struct FailedReport {
  let queue: String
  let summary: FailureSummary

  private static let noReason = "no reason recorded"
  private static let otherReasons = "other reasons"

  /// A row for each reason, and below it a sample: the beginning of a body, and the last line of stderr.
  ///
  /// A narrow terminal gets no column for the first time; where there is none, `width` is nil.
  func lines(width: Int?) -> [String] {
    let groups = summary.groups
    var rows = groups.map { group in
      [
        Figures.grouped(group.tasks), group.reason.map(Quoted.plain) ?? Self.noReason,
        group.first.map(PeekReport.date) ?? "-", group.last.map(PeekReport.date) ?? "-",
      ]
    }
    if summary.others > 0 { rows.append([Figures.grouped(summary.others), Self.otherReasons, "-", "-"]) }
    rows.insert(["TASKS", "REASON", "FIRST", "LAST"], at: 0)
    var table = Table.lines(rows, [.right])
    if let width, table.contains(where: { $0.count > width }) {
      table = Table.lines(rows.map { [$0[0], $0[1], $0[3]] }, [.right])
    }
    let indent = String(repeating: " ", count: (rows.map { $0[0].count }.max() ?? 0) + 2)
    let samples = groups.map { "\(indent)\(Self.sample($0.sample))" } + [""]
    var lines = [table[0]]
    for (row, sample) in zip(table.dropFirst(), samples) { lines += sample.isEmpty ? [row] : [row, sample] }
    guard let width else { return lines }
    return lines.map { $0.count > width ? "\($0.prefix(max(0, width - 1)))…" : $0 }
  }

  private static func sample(_ task: Delivery) -> String {
    let body = TaskLine.beginning(of: task.message.body)
    return lastLine(task).map { "\(body): \(Quoted.plain($0))" } ?? body
  }

  /// The last line that the command wrote to stderr.
  private static func lastLine(_ task: Delivery) -> String? {
    let text = task.message.properties.headers?[TaskHeaders.stderr]?.plain
    return text?.split(whereSeparator: \.isNewline).last.map(String.init)
  }

  // MARK: As JSON

  func json() -> [String] {
    var lines = summary.groups.map { JSON.line(Line(queue, $0)) }
    if summary.others > 0 { lines.append(JSON.line(Line(queue, others: summary.others))) }
    return lines
  }

  /// A reason; what is not known is left out.
  private struct Line: Encodable {
    let queue: String
    let error: String
    let tasks: Int
    var exitStatus: Int?
    var signal: Int?
    var firstTime: String?
    var lastTime: String?
    var sample: Sample?

    init(_ queue: String, _ group: FailureSummary.Group) {
      self.queue = queue
      error = group.reason ?? noReason
      tasks = group.tasks
      (exitStatus, signal) = (group.exitStatus, group.signal)
      (firstTime, lastTime) = (group.first.map(PeekReport.date), group.last.map(PeekReport.date))
      sample = Sample(group.sample)
    }

    init(_ queue: String, others: Int) {
      (self.queue, error, tasks) = (queue, otherReasons, others)
    }
  }

  /// The task that failed last for the reason.
  private struct Sample: Encodable {
    let messageID: String?
    let attempt: Int
    let body: String?
    let bodyBase64: String?
    let stderr: String?

    init(_ task: Delivery) {
      let properties = task.message.properties
      messageID = properties.messageID
      attempt = LastFailure(properties.headers).attempts
      (body, bodyBase64) = JSON.body(task.message.body)
      stderr = properties.headers?[TaskHeaders.stderr]?.plain
    }
  }
}
