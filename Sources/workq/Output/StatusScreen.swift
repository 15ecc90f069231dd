internal import AMQP
internal import WorkQueue

/// The screen of `status --watch`, as a function of the counts and the size of the terminal.
struct StatusScreen {
  /// A line and its emphasis.
  struct Line: Equatable {
    enum Style {
      case plain
      case title
      case warning
    }

    let text: String
    var style = Style.plain
  }

  let location: String
  let clock: String
  let interval: Duration
  let readings: [QueueReading]
  let histories: [String: QueueHistory]
  /// Why the numbers are out of date.
  let trouble: String?

  /// No line is wider than `columns`, and there are at most `rows`.
  func lines(columns: Int, rows: Int) -> [Line] {
    let title = Line(text: title(columns), style: .title)
    var (table, notes, footer) = (self.table(columns), notes(), StatusReport.footer(readings))
    var blank = [Line(text: "")]
    // Omitted first is the footer, then blank lines, then all notes but one, then queues.
    if 1 + table.count + notes.count + footer.count > rows - 3 { footer = [] }
    let surplus = 1 + table.count + notes.count + footer.count - rows
    if surplus > -2 { blank = [] }
    if surplus > 0 { notes = Array(notes.prefix(max(1, notes.count - surplus))) }
    let room = max(2, rows - 1 - notes.count)
    if table.count > room {
      table = Array(table.prefix(room - 1)) + ["… and \(table.count - (room - 1)) more"]
    }
    var all = [title] + blank + table.map { Line(text: $0) }
    if !notes.isEmpty { all += blank + notes.map { Line(text: $0, style: .warning) } }
    if !footer.isEmpty { all += blank + footer.map { Line(text: $0) } }
    return all.prefix(max(rows, 0)).map { line in
      Line(text: line.text.count > columns ? String(line.text.prefix(columns)) : line.text, style: line.style)
    }
  }

  private func title(_ columns: Int) -> String {
    let left = "\(location)  \(clock), every \(interval.formatted)"
    let right = "Ctrl-C ends"
    let gap = columns - left.count - right.count
    return gap < 2 ? left : left + String(repeating: " ", count: gap) + right
  }

  private func notes() -> [String] {
    var notes = trouble.map { [$0] } ?? []
    for reading in readings {
      guard let status = reading.status else { continue }
      switch reading.member.role {
      case .work:
        let history = histories[reading.member.name] ?? QueueHistory()
        let sentence = Forecast.sentence(
          queue: reading.member.name, waiting: status.waiting, consumers: status.consumers, history: history)
        if let sentence { notes.append(sentence) }
      case .failed where status.waiting > 0:
        let tasks = status.waiting == 1 ? "1 task is" : "\(NumberFormat.grouped(status.waiting)) tasks are"
        notes.append("\(tasks) parked: workq peek \(Quoted.shellWord(reading.member.name)) shows why")
      case .retry, .delay, .failed: break
      }
    }
    return notes
  }

  // MARK: The table

  private static let leastName = 12
  private static let leastSpark = 8
  private static let mostSpark = 60

  /// As many columns as fit: omitted first is the spark line, then the consumers.
  private func table(_ columns: Int) -> [String] {
    let names = readings.map(Self.name)
    let longest = max(names.map(\.count).max() ?? 0, 5)
    var cells = readings.map { reading in figures(of: reading) }
    cells.insert(["WAITING", "CHANGE", "CONSUMERS"], at: 0)
    // A cell's width, including the two blanks before it.
    let widths = (0..<3).map { column in (cells.map { $0[column].count }.max() ?? 0) + 2 }
    var used = widths.reduce(0, +)
    if used + Self.leastName > columns {
      cells = cells.map { Array($0.prefix(2)) }
      used -= widths[2]
    }
    let forSpark = columns - used - min(longest, max(30, columns / 2)) - 2
    let sparkWidth = forSpark < Self.leastSpark ? 0 : min(forSpark, Self.mostSpark)
    let nameWidth = min(longest, max(1, columns - used - (sparkWidth > 0 ? sparkWidth + 2 : 0)))
    let rows = zip(["QUEUE"] + names, cells).enumerated().map { index, row in
      var line = [row.0.shortened(to: nameWidth)] + row.1
      if sparkWidth > 0 { line.append(index == 0 ? sparkTitle : spark(readings[index - 1], sparkWidth)) }
      return line
    }
    return Table.lines(rows, [.left, .right, .right, .right])
  }

  private static func name(_ reading: QueueReading) -> String {
    let variant = reading.member.variant.map { " (\($0))" } ?? ""
    return switch reading.member.role {
    case .work: reading.member.name
    case .retry(let delay): "  retried in \(delay.formatted)\(variant)"
    case .delay(let delay): "  delayed by \(delay.formatted)\(variant)"
    case .failed: "  failed"
    }
  }

  private func figures(of reading: QueueReading) -> [String] {
    guard let status = reading.status else { return ["missing", "", ""] }
    let rate = histories[reading.member.name]?.rate.map(NumberFormat.change) ?? ""
    let consumers = reading.member.role == .work || status.consumers > 0 ? "\(status.consumers)" : ""
    return [NumberFormat.grouped(status.waiting), rate, consumers]
  }

  private var sparkTitle: String {
    let length = histories.values.map(\.length).max() ?? .zero
    return length < .seconds(1)
      ? "" : "LAST \(Duration.seconds(length.components.seconds).formatted.uppercased())"
  }

  private func spark(_ reading: QueueReading, _ width: Int) -> String {
    guard reading.status != nil, let history = histories[reading.member.name] else { return "" }
    // From the left, until there are more counts than columns; newer queues begin with blanks.
    let looks = histories.values.map(\.count).max() ?? 0
    return SparkLine.draw(history.columns(min(width, looks)))
  }
}
