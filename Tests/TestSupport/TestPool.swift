import Foundation
import Testing

/// Where a suite's tests run, how many of them at a time, and for how long at most.
///
/// Tests that start programs block while they wait for them. On Swift's shared threads, of which there is
/// one per core, two of them would hold up all others; so each pool has threads of its own.
public struct TestPool: SuiteTrait, TestTrait, TestScoping {
  /// Each test case gets a scope of its own.
  public let isRecursive = true
  private let name: String
  private let threads: ThreadPool?
  /// In seconds.
  private let limit: Double

  private init(_ name: String, width: Int?, limit: Double) {
    (self.name, self.limit) = (name, limit)
    threads = width.map { ThreadPool(width: $0) }
  }

  fileprivate static let units = TestPool("units", width: nil, limit: 300)
  fileprivate static let alone = TestPool("alone", width: 1, limit: 300)
  fileprivate static let waiting = TestPool("waiting", width: 8, limit: 900)
  fileprivate static let silent = TestPool("silent", width: 4, limit: 900)
  fileprivate static let busy = TestPool("busy", width: 3, limit: 900)
  fileprivate static let slow = TestPool("slow", width: 4, limit: 1800)
  fileprivate static let cluster = TestPool("cluster", width: 1, limit: 1800)
  fileprivate static let disposable = TestPool("disposable", width: 3, limit: 1800)

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    // A test's own pool counts, not that of its suite.
    let pools = test.traits.compactMap { $0 as? TestPool }
    guard pools.last?.name == name else { return try await function() }
    let watch = Watch(name: test.displayName ?? test.name, limit: limit)
    @Sendable func run() async throws {
      watch.begin()
      defer { watch.end() }
      try await IssueCount.$current.withValue(IssueCount()) {
        try await IssueCount.limit.provideScope(for: test, testCase: testCase, performing: function)
      }
    }
    guard let threads else { return try await run() }
    try await withTaskExecutorPreference(threads) { try await run() }
  }
}

extension Trait where Self == TestPool {
  /// For suites that start no program.
  public static var units: Self { .units }
  /// For suites whose tests lock files, or start programs without a broker: between its fork and the end of its
  /// exec, a program has every file of ours open, and with it the lock.
  public static var alone: Self { .alone }
  /// For suites whose tests mostly wait: for a timer, a retry, a broker's answer.
  public static var waiting: Self { .waiting }
  /// For suites whose tests do nothing but wait for a deadline, because nobody answers.
  public static var silent: Self { .silent }
  /// For suites that keep a processor busy, by starting one program after another.
  public static var busy: Self { .busy }
  /// For suites that take a minute and more; they start at once, on threads that no other suite uses.
  public static var slow: Self { .slow }
  /// For tests of `Cluster`, a cluster of three: one at a time, which leaves a processor to others.
  public static var cluster: Self { .cluster }
  /// For tests that stop, kill or starve a broker, which `DisposableBroker` gives them: one for each thread.
  public static var disposable: Self { .disposable }
}

/// How many issues the present test case has; the first ten are reported.
public final class IssueCount: Sendable {
  @TaskLocal static var current: IssueCount?
  /// A fault in a model of thousands of cases is the same one each time.
  public static let most = 10
  /// Whether the present test case has failed often enough.
  public static var isReached: Bool { (current?.count.value ?? 0) >= most }

  fileprivate static let limit = IssueHandlingTrait.filterIssues { _ in (current?.count.add() ?? 0) <= most }
  private let count = Counter()

  private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var number = 0
    var value: Int { lock.withLock { number } }
    func add() -> Int {
      lock.withLock {
        number += 1
        return number
      }
    }
  }
}

/// Ends the whole run when a test case does not end, and notes how long each took.
private final class Watch: @unchecked Sendable {
  /// Where the times go, one case a line: seconds, a tab, the test's name.
  private static let times = ProcessInfo.processInfo.environment["WORKQ_TEST_TIMES"].map {
    FileHandle(fileDescriptor: open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644))
  }
  private let name: String
  private let limit: Double
  private let lock = NSLock()
  /// Touched only with the lock held.
  private var isRunning = false
  private var start = DispatchTime.now()
  private var seconds: Double {
    Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1_000_000_000
  }

  init(name: String, limit: Double) {
    (self.name, self.limit) = (name, limit)
  }

  func begin() {
    start = .now()
    lock.withLock { isRunning = true }
    DispatchQueue.global().asyncAfter(deadline: start + limit) { [self] in
      guard lock.withLock({ isRunning }) else { return }
      let line = "the test '\(name)' has not ended within \(Int(limit)) s: the run is ended\n"
      FileHandle.standardError.write(Data(line.utf8))
      _exit(70)
    }
  }

  func end() {
    lock.withLock { isRunning = false }
    let line = String(format: "%.2f\t%@\n", seconds, name.replacing("\n", with: " "))
    Self.times?.write(Data(line.utf8))
  }
}

/// A few threads that do nothing but run tests; idle ones cost nothing.
private final class ThreadPool: TaskExecutor {
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
