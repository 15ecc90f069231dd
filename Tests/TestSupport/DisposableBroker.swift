import Foundation

/// Brokers for tests that stop, kill or starve theirs, or change its settings.
///
/// Each thread of the pool `.disposable` has one, which its tests use one after the other. A test undoes what
/// it has set; a broker that a test has left stopped is started again for the next one.
public enum DisposableBroker {
  /// The size of the largest message that they take, in bytes; 4.x reads it when it starts, and only then.
  public static let largestMessage = 1_000_000
  private static let key = "workq-disposable-broker"

  /// The present thread's broker, which runs.
  public static func get() throws -> Broker {
    if let holder = Thread.current.threadDictionary[key] as? Holder {
      if !holder.broker.isRunning {
        try holder.broker.stop()
        try holder.broker.restart()
      }
      return holder.broker
    }
    let broker = try Broker.start { directory in
      try "max_message_size = \(largestMessage)\n".write(
        toFile: "\(directory)/settings.conf", atomically: true, encoding: .utf8)
      // It tries every 3 s, and not every 180 s, to dead-letter a task again.
      try "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 3000}]}].".write(
        toFile: "\(directory)/advanced.config", atomically: true, encoding: .utf8)
    }
    Thread.current.threadDictionary[key] = Holder(broker)
    return broker
  }

  private final class Holder {
    let broker: Broker
    init(_ broker: Broker) { self.broker = broker }
  }
}

extension Broker {
  /// Whether its server's process is there.
  var isRunning: Bool { server.map { Glibc.kill($0, 0) == 0 } ?? false }
}
