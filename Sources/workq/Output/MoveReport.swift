internal import AMQP
internal import Glibc
internal import WorkQueue

/// The output of a move: a progress line, and the result.
final class MoveReport {
  private static let pause = Duration.milliseconds(200)

  private let console: Console
  private let isJSON: Bool
  private let source: String
  private let target: String
  private let start = Deadline.now
  private var nextLine = Deadline.now

  init(console: Console, isJSON: Bool, source: String, target: String) {
    (self.console, self.isJSON, self.source, self.target) = (console, isJSON, source, target)
  }

  func report(_ event: MoverEvent) {
    switch event {
    case .moved(let count, let goal):
      guard nextLine.hasPassed else { return }
      nextLine = .after(Self.pause)
      if showsProgress { Console.draw(Self.line(count, of: goal, after: Deadline.now - start)) }
    case .blocked(let reason, let timeout):
      notice(
        "the broker blocks publishers (\(Alarm.description(of: reason))); waiting up to \(timeout.formatted)")
    case .unblocked:
      notice("the broker accepts tasks again")
    case .stopping(let count):
      notice(
        count > 0
          ? "stopping: waiting for the confirms of \(tasks(count)); press Ctrl-C again to stop now"
          : "stopping")
    }
  }

  /// "120 of 500 moved, 95/s, 4 s left".
  static func line(_ count: Int, of goal: Int, after time: Duration) -> String {
    let text = "\(NumberFormat.grouped(count)) of \(NumberFormat.grouped(goal)) moved"
    let seconds = time / .seconds(1)
    guard seconds >= 0.5, count > 0 else { return text }
    let rate = Double(count) / seconds
    let left = Duration.seconds((Double(goal - count) / rate).rounded())
    return "\(text), \(NumberFormat.rate(rate)), \(left.formatted) left"
  }

  /// Reports the result; ends the process by the signal that ended the move.
  func end(_ ending: Mover.ExitReason, _ balance: Mover.Balance, at location: String) throws(Failure) {
    clear()
    result(balance)
    if balance.countsDeliveries {
      notice("'\(source)' is a quorum queue: for the tasks that were left, a delivery was counted")
    }
    if balance.replaced > 0 {
      notice(
        "\(NumberFormat.grouped(balance.replaced)) of the tasks that were left had been returned often: copies at the "
          + "end of '\(source)' replace them")
    }
    switch ending {
    case .complete: return
    case .refused(let reason):
      throw Failure(
        balance.moved > 0 ? .partial : .dataError,
        "\(location): '\(target)' refused a task: \(reason); moved \(balance.moved), "
          + "the others are still in '\(source)'")
    case .stopped(let signal):
      notice("stopped: moved \(balance.moved), the others are still in '\(source)'")
      Signals.die(by: signal)
    case .killed(let signal):
      notice("stopped now: moved \(balance.moved)\(doubt(balance.uncertain))")
      Signals.die(by: signal)
    }
  }

  /// Why it failed, and that no task is lost.
  func failure(_ error: AMQPError, _ balance: Mover.Balance, at location: String) -> Failure {
    clear()
    let failure = Failure(error, at: location)
    guard balance.moved > 0 || balance.uncertain > 0 else { return failure }
    let fate = "moved \(balance.moved)\(doubt(balance.uncertain)); none is lost"
    return Failure(failure.status, "\(failure.message); \(fate)")
  }

  private var showsProgress: Bool { Console.errorIsTerminal && !console.isQuiet }

  private func clear() {
    if showsProgress { Console.draw("") }
  }

  private func doubt(_ count: Int) -> String {
    guard count > 0 else { return "" }
    return "; \(tasks(count)) more \(count == 1 ? "is" : "are") unconfirmed and may be in both queues"
  }

  private func tasks(_ count: Int) -> String {
    count == 1 ? "1 task" : "\(NumberFormat.grouped(count)) tasks"
  }

  private func result(_ balance: Mover.Balance) {
    if isJSON {
      console.print([.from: source, .to: target, .moved: balance.moved, .left: balance.left])
    } else if !console.isQuiet {
      let left = balance.left > 0 ? ", \(balance.left) left" : ""
      console.print("\(source) -> \(target): \(balance.moved) moved\(left)")
    }
  }

  /// Reports what a move would do.
  func tryOut(_ count: Int, _ left: Int) {
    if isJSON {
      console.print([.from: source, .to: target, .moved: 0, .left: count + left, .wouldMove: count])
    } else if !console.isQuiet {
      let rest = left > 0 ? ", \(left) left" : ""
      console.print("\(source) -> \(target): \(count) would be moved\(rest)")
    }
  }

  private func notice(_ text: String) {
    clear()
    console.notice(text)
  }
}
