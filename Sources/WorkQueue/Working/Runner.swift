internal import AMQP

/// A way to work on tasks: a process for each, processes that work on many, or only the time that it would take.
///
/// It never waits. `Jobs` owns it, and calls `step()` at `nextDeadline` at the latest.
protocol Runner: AnyObject {
  /// How many more tasks it can begin to work on.
  var room: Int { get }
  /// When something is due, if nothing happens before.
  var nextDeadline: Deadline { get }

  /// Begins the work on a task.
  ///
  /// - Returns: the result, when the work has ended at once or cannot begin.
  func start(_ job: Job) -> JobResult?

  /// Does what is due.
  ///
  /// - Returns: the results of the work that has ended by that.
  func step(_ now: Deadline) -> [JobResult]

  /// Watches the descriptors that it reads.
  func watch(on loop: inout EventLoop)

  /// Reads from those that are ready, a bounded part of what is there; results come with the next `step()`.
  func read(_ ready: [Int32])

  /// A child of the process has ended, and is to be reaped.
  ///
  /// - Returns: the results of the work that has ended by that; nil when it is none of its own.
  func ended(_ pid: Int32) -> [JobResult]?

  /// A child of the process was stopped by a signal.
  func stopped(_ pid: Int32, by signal: Int32)

  // MARK: Ends

  /// The worker receives no more tasks; with `requeues`, those that no process has are requeued.
  ///
  /// - Returns: the results of these.
  func stop(requeues: Bool) -> [JobResult]

  /// No task is left and none will come: lets the processes end that have waited for more.
  ///
  /// - Returns: whether none is left; while there are some, it is called again.
  func close() -> Bool

  /// Asks all work to end, to be requeued.
  ///
  /// - Returns: the results of the work that has ended by that.
  func interrupt() -> [JobResult]

  /// Ends all work that was asked to end.
  func kill()
}

// Where each task begins at once, and its process ends with it.
extension Runner {
  func stop(requeues: Bool) -> [JobResult] { [] }
  func close() -> Bool { true }
}
