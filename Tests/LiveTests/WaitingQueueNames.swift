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
