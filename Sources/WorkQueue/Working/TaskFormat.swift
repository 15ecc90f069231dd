internal import AMQP

/// The format of several tasks on a command's stdin.
package enum TaskFormat: String, CaseIterable, Equatable, Sendable {
  /// A JSON object and a newline.
  case jsonl
  /// The body and a newline.
  case lines
  /// The body and a NUL.
  case null

  /// The delimiter.
  var delimiter: UInt8 { self == .null ? 0 : UInt8(ascii: "\n") }

  /// Why a body cannot be represented in this format; nil when it can.
  func objection(to body: [UInt8]) -> String? {
    guard self != .jsonl, body.contains(delimiter) else { return nil }
    return
      "the task holds a \(self == .null ? "NUL byte" : "newline"), which ends a task in the format '\(rawValue)'"
  }

  /// Adds a task to the bytes of a command's stdin.
  func append(_ job: Job, queue: String, to bytes: inout [UInt8]) {
    switch self {
    case .jsonl: TaskJSON.append(job, queue: queue, to: &bytes)
    case .lines, .null: bytes.append(contentsOf: job.delivery.message.body)
    }
    bytes.append(delimiter)
  }
}
