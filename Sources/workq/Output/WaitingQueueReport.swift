internal import WorkQueue

extension WaitingQueueEvent {
  /// Prints it: a missing permission always, since an administrator can grant it; the rest with `-v`.
  func report(to console: Console) {
    switch self {
    case .isClassic(let queue, let reason):
      console.detail(
        "the broker refuses '\(queue)' as a quorum queue: \(reason); using classic queues: "
          + "a task is lost if its work queue is full, missing or unavailable when it is due")
    case .usesFormerName(let queue, let former, let reason):
      console.notice(
        "cannot declare queue '\(queue)': \(reason); using '\(former)' as workq 1.0 does: "
          + "a task is lost if its work queue is full, missing or unavailable when it is due "
          + "(grant the rights to configure and read '\(queue)')")
    }
  }
}
