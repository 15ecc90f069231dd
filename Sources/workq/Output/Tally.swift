internal import AMQP
internal import WorkQueue

/// The results of a command's tasks, in numbers.
struct Tally {
  /// Tasks that failed for the same reason.
  struct Group {
    let failure: PublishFailure
    var count = 0
    /// The first records, as ranges.
    var ranges: [ClosedRange<Int>] = []
  }

  private static let mostGroups = 10
  private static let mostRanges = 10

  var published = 0
  /// Stored in the spool.
  var kept = 0
  private(set) var failed = 0
  private(set) var groups: [Group] = []
  /// Failed for other reasons than the listed ones.
  private var ungrouped = 0
  private(set) var unreadable: (message: String, status: ExitStatus)?
  /// What ended the run before the end of the input.
  var end: AMQPError?
  /// The first record that was not read, because the run ended.
  var firstUnread: Int?

  var first: PublishFailure? { groups.first?.failure }

  mutating func failed(_ number: Int, _ failure: PublishFailure) {
    failed += 1
    var index = groups.firstIndex { $0.failure == failure }
    if index == nil && groups.count < Self.mostGroups {
      groups.append(Group(failure: failure))
      index = groups.count - 1
    }
    guard let group = index else {
      ungrouped += 1
      return
    }
    groups[group].count += 1
    if let last = groups[group].ranges.last, last.upperBound == number - 1 {
      groups[group].ranges[groups[group].ranges.count - 1] = last.lowerBound...number
    } else if groups[group].ranges.count < Self.mostRanges {
      groups[group].ranges.append(number...number)
    }
  }

  /// An input could not be read completely; only the first is remembered.
  mutating func unreadable(_ input: RecordReader.Input, _ reason: String) {
    guard unreadable == nil else { return }
    let status: ExitStatus = input == .standardInput ? .ioError : .noInput
    unreadable = ("cannot read \(input.name): \(reason)", status)
  }

  /// For a message: "records 2, 5-6 (the queue is full); record 9 (it is no JSON object)".
  var failures: String {
    var parts = groups.map { group in
      let shown = group.ranges.map {
        $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
      }
      let rest = group.count - group.ranges.reduce(0) { $0 + $1.count }
      let more = rest > 0 ? " and \(rest) more" : ""
      let noun = group.count == 1 ? "record" : "records"
      return "\(noun) \(shown.joined(separator: ", "))\(more) (\(group.failure.reason))"
    }
    if ungrouped > 0 { parts.append("\(ungrouped) more for other reasons") }
    return parts.joined(separator: "; ")
  }
}
