internal import AMQP
internal import WorkQueue

extension Failure {
  /// Explains a queue that exists with other properties: the requested and the actual values, and the commands that
  /// resolve it.
  init(mismatches: [PropertyMismatch], actual: Queue, at location: String) {
    let rows = [["property", "asked for", "the broker has"]]
    let table = Table.lines(rows + mismatches.map { [$0.property, $0.asked, $0.actual] })
    let name = Quoted.shellWord(actual.name)
    let options = QueueSettings.options(for: actual).joined(separator: " ")
    self.init(
      .configuration,
      """
      \(location): queue '\(actual.name)' exists with other properties:
      \(table.map { "  \($0)" }.joined(separator: "\n"))
      To use it as it is:         workq declare \(name)
      To ask for just what it is: workq declare \(options) \(name)
      To lose it and its tasks:   workq purge --delete \(name), and declare it again
      """)
  }

  /// Explains why the broker refuses to create such a queue.
  init(refused error: AMQPError, at location: String) {
    if error.kind == .unsupported, error.detail.contains("transient_nonexcl_queues") {
      self.init(
        .configuration,
        "\(location): cannot \(error.operation): \(error.detail) (leave out --transient: this broker no longer "
          + "permits transient queues, which others can use, too)")
      return
    }
    guard error.kind == .preconditionFailed,
      let argument = error.detail.firstMatch(of: #/invalid (?:arg|property) '([^']+)'/#)
    else {
      self.init(error, at: location)
      return
    }
    let property = String(argument.1)
    let option = QueueSettings.option(for: property).map { " (\($0))" } ?? ""
    self.init(
      .configuration,
      "\(location): cannot \(error.operation): \(error.detail): queues of this type do not have "
        + "\(property)\(option), or not with this value")
  }
}
