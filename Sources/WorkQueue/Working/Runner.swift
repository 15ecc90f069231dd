internal import AMQP

/// Runs tasks: a process for each, processes for many, or faked work.
///
/// It never blocks. `Jobs` owns it, and calls `step()` at `nextDeadline` at the latest.
protocol Runner: AnyObject {
  /// How many more tasks it can start.
  var room: Int { get }
  /// When something is due, if nothing happens before.
  var nextDeadline: Deadline { get }

  /// Starts a task.
  ///
  /// - Returns: the result, if the task has ended at once or cannot be started.
  func start(_ job: Job) -> JobResult?

  /// Does what is due.
  ///
  /// - Returns: the results of tasks that have ended.
  func step(_ now: Deadline) -> [JobResult]

  /// Sends what its processes accept, and watches the descriptors that it reads; `nextDeadline` may change.
  func watch(on loop: inout EventLoop)

  /// Reads a bounded part of the data from those that are ready; the next `step()` returns the results.
  func read(_ ready: DescriptorSet)

  /// A child of the process has exited, and must be reaped.
  ///
  /// - Returns: the results of tasks that have ended; nil when the child is not one of its own.
  func ended(_ pid: Int32) -> [JobResult]?

  /// A child of the process was stopped by a signal.
  func stopped(_ pid: Int32, by signal: Int32)

  // MARK: Ends

  /// The worker receives no more tasks; with `requeues`, those that no process has are requeued.
  ///
  /// - Returns: the results of the requeued tasks.
  func stop(requeues: Bool) -> [JobResult]

  /// No task is left and none will come: lets resident processes exit.
  ///
  /// - Returns: whether none is left; while there are some, it is called again.
  func close() -> Bool

  /// Asks all running tasks to stop, to be requeued.
  ///
  /// - Returns: the results of tasks that have ended.
  func interrupt() -> [JobResult]

  /// Kills what was asked to stop.
  func kill()
}

// Defaults for runners that start each task at once, and whose processes end with their tasks.
extension Runner {
  func stop(requeues: Bool) -> [JobResult] { [] }
  func close() -> Bool { true }
}
