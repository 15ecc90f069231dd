import Foundation
import Testing

/// Runs a suite's tests on threads of its own, several at a time.
///
/// Such tests mostly wait for processes, and they block while they do: on Swift's shared threads, of
/// which there is one per core, two of them would hold up all others.
public struct OwnThreads: SuiteTrait, TestScoping {
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(ThreadPool.shared) { try await function() }
  }
}

extension Trait where Self == OwnThreads {
  /// For suites whose tests wait for processes.
  public static var ownThreads: Self { OwnThreads() }
}

/// A few threads that do nothing but run tests; idle ones cost nothing.
private final class ThreadPool: TaskExecutor {
  static let shared = ThreadPool(width: 3)

  private let condition = NSCondition()
  /// Touched only with the condition's lock held.
  nonisolated(unsafe) private var jobs: [UnownedJob] = []

  init(width: Int) {
    for _ in 0..<width { Thread.detachNewThread { self.serve() } }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.withLock { jobs.append(job) }
    condition.signal()
  }

  private func serve() {
    while true {
      let job = condition.withLock {
        while jobs.isEmpty { condition.wait() }
        return jobs.removeFirst()
      }
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
