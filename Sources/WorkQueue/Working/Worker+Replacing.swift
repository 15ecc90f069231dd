internal import AMQP

/// Tasks that were returned to their queue too often are replaced by copies: see `DeliveryHistory`.
///
/// The copy is confirmed first and the original acknowledged after: a crash between leaves both, never none.
/// The copy goes to the end of the queue. Where it cannot be published (the queue is full, the user may not
/// write, the broker is blocked) the original is run, or returned, as it is.
extension Worker {
  /// Takes what the broker delivered.
  mutating func receive(_ delivery: Delivery) throws(AMQPError) {
    let task = Waiting(delivery: delivery, received: .now)
    guard stopReason == nil || !options.acknowledges else {
      try subscription?.forgetRetired()
      tally.handedBack += 1
      return try giveBack(task)
    }
    waiting.append(task)
    try startWaiting()
    guard options.acknowledges, delivery.history.isNearLimit else { return }
    // It was not its turn, and another lost connection or two would be its end.
    for task in waiting.remove(where: { $0.delivery.tag == delivery.tag && !$0.mayRun }) {
      replace(task, starts: delivery.history.starts)
    }
  }

  /// Replaces a suspicious task whose turn has come by a copy that records the start; the run comes with the
  /// copy.
  ///
  /// - Returns: whether the task must not be run now.
  mutating func recordStart(_ task: Waiting) -> Bool {
    let history = task.delivery.history
    guard options.acknowledges, history.isSuspicious, !history.hasKilledWorkers, !task.mayRun else {
      return false
    }
    // Beyond the number of jobs, it has only waited in the worker that died.
    let recordsStart = running.count + replacements.recentStarts < options.jobs
    replace(task, starts: history.starts + (recordsStart ? 1 : 0), recordsStart: recordsStart)
    return true
  }

  /// Replaces the suspicious tasks that came together with one whose start was recorded, before it can be the
  /// death of this worker, too; nothing is recorded for them.
  mutating func replaceCompanions() {
    guard replacements.recentStarts > 0 else { return }
    for task in waiting.remove(where: { $0.delivery.history.isSuspicious && !$0.mayRun }) {
      replace(task, starts: task.delivery.history.starts)
    }
  }

  /// Returns a task that was not run, or was interrupted, to its queue.
  mutating func giveBack(_ task: Waiting) throws(AMQPError) {
    let history = task.delivery.history
    guard options.acknowledges, history.mustNotReturn, !task.mayRun,
      subscription?.holds(task.delivery.tag) == true
    else {
      try subscription?.handBack(task.delivery.tag)
      return
    }
    replace(task, starts: history.starts)
  }

  private mutating func replace(_ task: Waiting, starts: Int, recordsStart: Bool = false) {
    replacements.add(task, recordsStart: recordsStart)
    retrier.add(
      Copy(
        number: nil, tag: task.delivery.tag,
        message: task.delivery.replacement(in: options.queue, starts: starts),
        destination: .workQueue(wasRun: false)))
  }

  /// Has the tasks run, or returned, whose copies the broker does not take; requeues failed ones without.
  mutating func settleRefusedCopies() throws(AMQPError) {
    let overdue = replacements.overdue
    for refused in retrier.takeRefused() + retrier.withdraw(overdue) {
      let (copy, tag) = (refused.copy, refused.copy.tag)
      let task = replacements.giveUp(tag)
      guard subscription?.holds(tag) == true else { continue }
      report(.notReplaced(task: copy.number, reason: refused.reason))
      if copy.destination == .workQueue(wasRun: true) {
        try subscription?.reject(tag, requeue: true)
      } else if stopReason == nil, var task {
        task.mayRun = true
        waiting.append(task)
      } else {
        try subscription?.handBack(tag)
      }
    }
    for tag in overdue { _ = replacements.giveUp(tag) }
  }
}
