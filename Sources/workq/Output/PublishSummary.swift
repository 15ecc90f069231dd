internal import AMQP
internal import WorkQueue

/// The result of a publish: an exit code, and a line if not all tasks were published.
struct PublishSummary {
  private let tally: Tally
  private let addresses: [Address]
  private let isBatch: Bool

  init(_ tally: Tally, at addresses: [Address], isBatch: Bool) {
    self.tally = tally
    self.addresses = addresses
    self.isBatch = isBatch
  }

  /// - Throws: the failure, if there is one.
  func report(_ console: Console, _ progress: Progress?) throws(Failure) {
    if let failure { throw failure }
    if let progress { console.notice(progress.summary(published: tally.published)) }
  }

  var failure: Failure? {
    guard tally.end != nil || tally.failed > 0 || tally.unreadable != nil else { return nil }
    guard isBatch else { return single }
    let parts = [counts, why, tally.failed > 0 ? tally.failures : nil, unread].compactMap { $0 }
    return Failure(tally.published > 0 ? .partial : status, parts.joined(separator: ": "))
  }

  /// The summary of a publish that a signal has ended.
  func stopped(by signal: Int32) -> String {
    let read = tally.published + tally.kept + tally.failed
    let kept = tally.kept > 0 ? ", \(tally.kept) kept" : ""
    let parts = [
      "\(addresses.locations): stopped by \(Signals.name(of: signal))",
      "\(tally.published) of \(read) published\(kept)", tally.failed > 0 ? tally.failures : nil, unread,
    ]
    return parts.compactMap { $0 }.joined(separator: ": ")
  }

  /// The failure of the only task.
  private var single: Failure? {
    if let end = tally.end { return Failure(end, at: addresses.locations) }
    if let unreadable = tally.unreadable { return Failure(unreadable.status, unreadable.message) }
    guard let failure = tally.first else { return nil }
    let advice =
      failure.kind == .noQueue
      ? " (without --no-declare it is created)"
      : Failure.messageLimit(failure.reason).map { " (\($0))" } ?? ""
    return Failure(status, "\(addresses.locations): not published: \(failure.reason)\(advice)")
  }

  private var status: ExitStatus {
    if let end = tally.end { return ExitStatus(end.kind) }
    switch tally.first?.kind {
    case .refused: return .dataError
    case .noQueue: return .configuration
    case .connection(let kind): return ExitStatus(kind)
    case nil: return tally.unreadable?.status ?? .ok
    }
  }

  private var counts: String {
    "\(addresses.locations): \(tally.published) published, \(tally.failed) not"
  }

  private var why: String? {
    if let end = tally.end {
      let hint = Failure.hint(end).map { " (\($0))" } ?? ""
      return "cannot \(end.operation): \(end.detail)\(hint)"
    }
    return tally.unreadable?.message
  }

  private var unread: String? {
    tally.firstUnread.map { "record \($0) and what follows was not read" }
  }
}
