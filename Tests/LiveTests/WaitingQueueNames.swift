import Foundation
import TestSupport
import WorkQueue

/// The queue in which tasks of a queue wait for a retry.
func retryQueue(of queue: String, after delay: Duration) -> String {
  WaitingQueue.retry(of: queue, after: delay).name
}

/// The queue in which tasks wait that are published now with a delay.
func delayQueue(of queue: String, by delay: Duration) -> String {
  let week = ISOWeek(secondsSince1970: Int(Date.now.timeIntervalSince1970))
  return WaitingQueue.delay(of: queue, by: delay, in: week).name
}

extension Broker {
  /// Has a broker that is to be started try every 3 s, and not every 180 s, to dead-letter a task again.
  static func retryDeadLettersOften(_ directory: String) throws {
    let settings = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 3000}]}]."
    try settings.write(toFile: "\(directory)/advanced.config", atomically: true, encoding: .utf8)
  }

  /// Has a running broker do so.
  func retryDeadLettersOften() throws {
    try control("eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 3000).")
  }

  /// The broker's version, from its control program.
  func version() throws -> BrokerVersion? {
    BrokerVersion(
      broker: "RabbitMQ " + (try control("version")).trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// The types of all queues in a virtual host, by name, from the broker's metadata: no queue is asked.
  func queueTypes(in virtualHost: String = "/") throws -> [String: String] {
    let query = """
      [{element(4, amqqueue:get_name(Q)), amqqueue:get_type(Q)}
       || Q <- rabbit_amqqueue:list(<<"\(virtualHost)">>)].
      """
    let found = try control("eval", query).matches(of: #/<<"([^"]+)">>,\s*rabbit_([a-z]+)_queue/#)
    return Dictionary(found.map { (String($0.1), String($0.2)) }) { first, _ in first }
  }
}
