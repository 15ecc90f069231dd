internal import AMQP
internal import WorkQueue

/// The parked tasks by reason, as a table or as JSON.
struct FailedReport {
  let queue: String
  let summary: FailureSummary

  private static let noReason = "no reason recorded"
  private static let otherReasons = "other reasons"

  /// A row per reason, and below it a sample: the start of a body, and the last line of stderr.
  ///
  /// A narrow terminal gets no column for the first time; `width` is nil without a terminal.
  func lines(width: Int?) -> [String] {
    let groups = summary.groups
    var rows = groups.map { group in
      [
        NumberFormat.grouped(group.tasks), group.reason.map(Quoted.plain) ?? Self.noReason,
        group.first.map(PeekReport.date) ?? "-", group.last.map(PeekReport.date) ?? "-",
      ]
    }
    if summary.others > 0 {
      rows.append([NumberFormat.grouped(summary.others), Self.otherReasons, "-", "-"])
    }
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

  /// An object for each reason.
  func json() -> [JSONObject] {
    var objects = summary.groups.map(json)
    if summary.others > 0 {
      objects.append([.queue: queue, .error: Self.otherReasons, .tasks: summary.others])
    }
    return objects
  }

  private func json(_ group: FailureSummary.Group) -> JSONObject {
    [
      .queue: queue, .error: group.reason ?? Self.noReason, .tasks: group.tasks,
      .exitStatus: group.exitStatus,
      .signal: group.signal, .firstTime: group.first.map(PeekReport.date),
      .lastTime: group.last.map(PeekReport.date), .sample: Self.json(sample: group.sample),
    ]
  }

  /// The task that failed last for this reason.
  private static func json(sample task: Delivery) -> JSONObject {
    let properties = task.message.properties
    var object: JSONObject = [
      .messageID: properties.messageID, .attempt: LastFailure(properties.headers).attempts,
      .stderr: properties.headers?[TaskHeaders.stderr]?.plain,
    ]
    object.set(task.message.body, .body, orBase64: .bodyBase64)
    return object
  }
}
