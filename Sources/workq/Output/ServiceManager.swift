internal import AMQP
internal import Glibc
internal import WorkQueue

/// Reports the worker's state to systemd (sd_notify(3)): ready, counters, stopping, and the watchdog's keep-alive
/// from the event loop.
///
/// It never waits for systemd: what the socket does not accept is dropped, and repeated by the next report.
final class ServiceManager {
  private static let interval = Duration.seconds(1)
  /// Longer than an attempt to connect takes.
  private static let attemptTime = Duration.seconds(60)

  private let descriptor: Int32
  /// How often the worker must report its state.
  let interval: Duration
  private let hasWatchdog: Bool
  private var status = ""

  /// - Returns: nil without a service manager.
  init?() {
    guard let path = Environment.path("NOTIFY_SOCKET")?.bytes, path.count > 1, path.count < 108 else {
      return nil
    }
    guard let descriptor = Self.connect(to: path) else { return nil }
    self.descriptor = descriptor
    let isForUs = Environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
    let watchdog = isForUs ? Environment["WATCHDOG_USEC"].flatMap { Int64($0) } : nil
    hasWatchdog = watchdog != nil
    interval = min(Self.interval, watchdog.map { .microseconds($0) / 2 } ?? Self.interval)
  }

  deinit {
    close(descriptor)
  }

  func report(_ event: WorkerEvent) {
    switch event {
    case .waiting: send("READY=1")
    case .unreachable(_, let retry):
      // A start that waits for the broker takes longer than systemd's start timeout.
      if let retry { send("EXTEND_TIMEOUT_USEC=\((retry + Self.attemptTime) / .microseconds(1))") }
    case .progress(let state): report(state)
    case .stopping: send("STOPPING=1")
    default: break
    }
  }

  private func report(_ state: WorkerState) {
    var lines = hasWatchdog ? ["WATCHDOG=1"] : []
    let status = Self.status(state)
    if status != self.status { lines.append("STATUS=\(status)") }
    self.status = status
    if !lines.isEmpty { send(lines.joined(separator: "\n")) }
  }

  /// "connected to mq1:5672/, 3 running, 120 done, 2 parked".
  static func status(_ state: WorkerState) -> String {
    let place = state.address.map { "connected to \($0.location)" } ?? "not connected"
    let counts = state.counts
    let others = [
      (counts.scheduled, "scheduled for retry"), (counts.parked, "parked"), (counts.dropped, "dropped"),
    ]
    .filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }.joined()
    return "\(place), \(state.running) running, \(counts.done) done\(others)"
  }

  /// Connects to a socket in the file system, or with "@" to an abstract one.
  private static func connect(to path: [UInt8]) -> Int32? {
    guard [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(path[0]) else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      unsafe bytes.copyBytes(from: path)
      if path[0] == UInt8(ascii: "@") { unsafe bytes[0] = 0 }
    }
    let length = socklen_t(2 + path.count + (path[0] == UInt8(ascii: "@") ? 0 : 1))
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return nil }
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, length)
      }
    }
    guard result == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  private func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}
