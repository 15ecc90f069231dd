import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct RetryPolicyTests {
  private let policy = RetryPolicy()

  @Test(
    arguments: [
      (.simulated, .acknowledge), (.exited(0), .acknowledge), (.exited(1), .retry(after: .seconds(10))),
      (.exited(75), .retry(after: .seconds(10))), (.exited(111), .retry(after: .seconds(10))),
      (.exited(65), .park), (.exited(100), .park), (.signalled(9), .retry(after: .seconds(10))),
      (.timedOut(.seconds(1)), .retry(after: .seconds(10))), (.interrupted, .release),
      (.invalidTask("NUL"), .park), (.attemptsExceeded(times: 5), .park),
      (.unrunnable("typo", isTemporary: false), .release),
    ] as [(Outcome, Settlement)])
  func `maps each outcome to its settlement`(outcome: Outcome, settlement: Settlement) {
    #expect(policy.settlement(of: outcome, attempt: 1) == settlement)
  }

  @Test(
    arguments: [
      (.retry, .retry(after: .seconds(10))), (.requeue, .requeue), (.park, .park), (.drop, .drop),
      (.acknowledge, .acknowledge),
    ] as [(RetryPolicy.Action, Settlement)])
  func `uses the chosen action for retryable failures`(action: RetryPolicy.Action, settlement: Settlement) {
    var policy = policy
    policy.onFailure = action
    for outcome in [.exited(1), .signalled(15), .timedOut(.seconds(1))] as [Outcome] {
      #expect(policy.settlement(of: outcome, attempt: 1) == settlement)
    }
    #expect(policy.settlement(of: .exited(0), attempt: 1) == .acknowledge)
    #expect(policy.settlement(of: .exited(65), attempt: 1) == .park)
  }

  @Test func `uses the action that is configured for an exit status`() {
    var policy = policy
    policy.onExit[0] = .drop
    policy.onExit[7] = .acknowledge
    policy.onExit[65] = .requeue
    #expect(policy.settlement(of: .exited(0), attempt: 1) == .drop)
    #expect(policy.settlement(of: .exited(7), attempt: 1) == .acknowledge)
    #expect(policy.settlement(of: .exited(65), attempt: 1) == .requeue)
  }

  @Test func `parks a task when its last attempt fails, whether failures are retried or requeued`() {
    var policy = policy
    for action in [RetryPolicy.Action.retry, .requeue] {
      policy.onFailure = action
      #expect(policy.settlement(of: .exited(1), attempt: 4) != .park)
      #expect(policy.settlement(of: .exited(1), attempt: 5) == .park)
      #expect(policy.settlement(of: .exited(1), attempt: .max - 1) == .park)
    }
    policy.maxAttempts = 0
    #expect(policy.settlement(of: .exited(1), attempt: 1_000_000) == .requeue)
  }

  @Test func `starts no attempt beyond the maximum number of attempts`() {
    #expect(!policy.isExhausted(before: 5))
    #expect(policy.isExhausted(before: 6))
    var endless = policy
    endless.maxAttempts = 0
    #expect(!endless.isExhausted(before: .max))
  }

  @Test func `the retry delay doubles up to its maximum`() {
    let seconds = [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    for (index, expected) in seconds.enumerated() {
      #expect(policy.delay(after: index + 1) == .seconds(expected))
    }
    #expect(policy.delay(after: .max) == .seconds(3600))
    #expect(policy.delay(after: 0) == .seconds(10))
  }

  @Test func `limits the delay to the longest that a queue supports, and keeps a delay of zero`() {
    var policy = policy
    policy.delay = .zero
    #expect(policy.delay(after: 9) == .zero)
    (policy.delay, policy.maxDelay) = (.seconds(86_400 * 40), .seconds(86_400 * 400))
    #expect(policy.delay(after: 3) == WaitingQueue.longestDelay)
  }

  @Test(arguments: [
    (0, 10), (1, 10), (10, 10), (11, 20), (37, 40), (2560, 2560), (2561, 3600), (3600, 3600), (3601, 5000),
    (5001, 10_000), (90_000, 100_000), (200_001, 500_000), (4_000_000, 4_294_967.295), (9e9, 4_294_967.295),
  ])
  func `rounds a delay that the command requests up to a supported delay`(wanted: Double, delay: Double) {
    let settlement = policy.settlement(of: .exited(75), attempt: 3, retryIn: .seconds(wanted))
    #expect(settlement == .retry(after: .milliseconds(Int64(delay * 1000))))
  }

  @Test func `a requested delay does not cause a retry, and applies when the base delay is zero`() {
    var policy = policy
    #expect(policy.settlement(of: .exited(65), attempt: 1, retryIn: .seconds(37)) == .park)
    #expect(policy.settlement(of: .exited(0), attempt: 1, retryIn: .seconds(37)) == .acknowledge)
    #expect(policy.settlement(of: .exited(75), attempt: 5, retryIn: .seconds(37)) == .park)
    policy.delay = .zero
    #expect(policy.delay(atLeast: .seconds(37)) == .seconds(50))
    #expect(policy.delay(atLeast: .zero) == .zero)
  }

  @Test func `exit status 126 or 127 means an unrunnable command unless the policy says otherwise`() {
    for status in [126, 127] as [Int32] {
      guard case .unrunnable(_, isTemporary: false) = policy.outcome(of: status) else {
        Issue.record("\(status) is taken for the task's")
        continue
      }
      var policy = policy
      policy.onExit[status] = .park
      #expect(policy.outcome(of: status) == .exited(status))
      policy = self.policy
      policy.statusesTellOfCommand = false
      #expect(policy.outcome(of: status) == .exited(status))
    }
    for status in [0, 1, 125, 128, 255] as [Int32] { #expect(policy.outcome(of: status) == .exited(status)) }
  }

  @Test func `reads an exit status or a signal from a wait status`() {
    #expect(Outcome(waitStatus: 0) == .exited(0))
    #expect(Outcome(waitStatus: 0x0300) == .exited(3))
    #expect(Outcome(waitStatus: 0xff00) == .exited(255))
    #expect(Outcome(waitStatus: 9) == .signalled(9))
    #expect(Outcome(waitStatus: 0x80 | 11) == .signalled(11), "with a core dump")
  }
}
