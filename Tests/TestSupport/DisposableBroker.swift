import Foundation

/// Brokers for tests that stop, kill or starve theirs, or change its settings.
///
/// Each thread of the pool `.disposable` has one, which its tests use one after the other. A test undoes what
/// it has set; a broker that a test has left stopped is started again for the next one.
public enum DisposableBroker {
  /// The size of the largest message that they take, in bytes; 4.x reads it when it starts, and only then.
  public static let largestMessage = 1_000_000

  /// The present thread's broker, which runs.
  public static func get() throws -> Broker {
    let broker = try ofThisThread {
      try Broker.start { directory in
        try "max_message_size = \(largestMessage)\n".write(
          toFile: "\(directory)/settings.conf", atomically: true, encoding: .utf8)
        // It tries every 3 s, and not every 180 s, to dead-letter a task again.
        try "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 3000}]}].".write(
          toFile: "\(directory)/advanced.config", atomically: true, encoding: .utf8)
      }
    }
    try broker.recover()
    return broker
  }
}

/// The present thread's value of this type, which is made when it is needed first.
func ofThisThread<Value>(_ make: () throws -> Value) rethrows -> Value {
  let (key, values) = ("workq-\(Value.self)", Thread.current.threadDictionary)
  if let holder = values[key] as? Holder<Value> { return holder.value }
  let value = try make()
  values[key] = Holder(value)
  return value
}

private final class Holder<Value> {
  let value: Value
  init(_ value: Value) { self.value = value }
}

extension Broker {
  /// Whether its server's process is there.
  private var isRunning: Bool { server.map { Glibc.kill($0, 0) == 0 } ?? false }

  /// Starts it again where a test has left it stopped, and thaws it where a test has left it frozen.
  func recover() throws {
    if isRunning { return try thaw() }
    try stop()
    try restart()
  }
}
