import Foundation
import TestSupport
import WorkQueue

/// The name of a queue's retry queue for a delay.
func retryQueue(of queue: String, after delay: Duration) -> String {
  WaitingQueue.retry(of: queue, after: delay).name
}

/// The name of a queue's delay queue for tasks that are published now.
func delayQueue(of queue: String, by delay: Duration) -> String {
  let week = ISOWeek(secondsSince1970: Int(Date.now.timeIntervalSince1970))
  return WaitingQueue.delay(of: queue, by: delay, in: week).name
}
