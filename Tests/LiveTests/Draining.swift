import Foundation
import TestSupport

/// A task that another client, pika, consumed.
struct Drained {
  let bytes: [UInt8]
  /// By their names in pika: "content_type", "headers", and so on.
  let properties: [String: Any]

  var text: String { String(decoding: bytes, as: UTF8.self) }
  var id: String? { properties["message_id"] as? String }
}

/// Removes all waiting tasks from a queue, and returns them in order.
func drain(_ queue: String, at broker: Broker = .shared) throws -> [Drained] {
  let result = try Peer.python("drain", queue).at(broker).run()
  guard result.status == 0 else { throw Peer.PeerFailed(message: result.error) }
  return try result.outputLines.map { line in
    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    let digits = Array((object?["body"] as? String ?? "").utf8)
    let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
    return Drained(bytes: bytes, properties: object?["properties"] as? [String: Any] ?? [:])
  }
}

/// A shell script, for redirections; `$0` is the binary and `$1` the queue.
func shell(_ script: String, _ queue: String, _ more: String..., at broker: Broker = .shared) -> Program {
  var program = Program.workq([]).at(broker)
  (program.path, program.arguments) = ("/bin/sh", ["-c", script, TestEnvironment.binary, queue] + more)
  return program
}

/// A named pipe to which the test writes.
final class NamedPipe {
  let path: String
  private let file: FileHandle

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "workq-pipe-\(UUID().uuidString)").path
    guard mkfifo(path, 0o600) == 0 else { throw POSIXError(.EIO) }
    // Opened for reading and writing, because open would wait for a reader otherwise.
    file = FileHandle(fileDescriptor: open(path, O_RDWR | O_CLOEXEC), closeOnDealloc: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The number of unread bytes.
  var unread: Int {
    var count: Int32 = 0
    return ioctl(file.fileDescriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : -1
  }

  func write(_ text: String) throws { try file.write(contentsOf: Data(text.utf8)) }
  func close() throws { try file.close() }
}
