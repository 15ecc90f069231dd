import AMQP

@testable import WorkQueue

extension Spool {
  /// Opens the spool in the directory with this name.
  init(directory: String, disk: Disk = Disk()) throws(SpoolError) {
    try self.init(directory: FilePath(directory), disk: disk)
  }
}

/// A task whose body is this text.
func task(_ text: String) -> Envelope {
  Envelope(Message(body: Array(text.utf8)), routingKey: "q")
}

/// The bodies in a spool, by segment.
func textsBySegment(_ spool: borrowing Spool) throws -> [[String]] {
  try spool.segments().map { segment in
    try spool.read(segment).map { String(decoding: $0.message.body, as: UTF8.self) }
  }
}

/// The bodies in a spool, oldest first.
func texts(_ spool: borrowing Spool) throws -> [String] {
  try textsBySegment(spool).flatMap { $0 }
}
