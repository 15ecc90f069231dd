internal import CRabbitMQ
internal import Glibc

/// Decodes a connection's bytes into frames, by rabbitmq-c.
///
/// The library owns a frame's memory, and reuses it in a later call of `next()`.
@safe
struct FrameReader: ~Copyable {
  /// A broker may exceed the negotiated frame size: it adds `x-death` to headers that already filled a frame.
  private static let largestFrame: Int32 = 262_144
  private static let bufferSize = 131_072
  /// The library walks all channels to free memory, so this is not done for each small frame.
  private static let mostUnreleased = 64

  private let state: amqp_connection_state_t
  private let buffer: UnsafeMutableRawBufferPointer
  /// The bytes in the buffer that are not decoded yet.
  private var pending = 0..<0
  private var isTuned = false
  private var unreleased = 0

  init() {
    guard let state = unsafe amqp_new_connection() else { fatalError("out of memory") }
    unsafe self.state = state
    unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit {
    unsafe amqp_destroy_connection(state)
    unsafe buffer.deallocate()
  }

  /// Whether bytes have been read that are not decoded.
  var holdsInput: Bool { !pending.isEmpty }

  /// The next complete frame in the buffer; nil when more bytes are needed.
  ///
  /// - Throws: `protocolViolation` for a malformed or too large frame.
  mutating func next() throws(AMQPError) -> amqp_frame_t? {
    if unreleased >= Self.mostUnreleased { release() }
    while !pending.isEmpty {
      var frame = unsafe amqp_frame_t()
      let start = unsafe buffer.baseAddress.unsafelyUnwrapped + pending.lowerBound
      let used = unsafe amqp_handle_input(state, amqp_bytes_t(len: pending.count, bytes: start), &frame)
      guard used > 0 else { throw AMQPError(status: used, "read from the broker") }
      pending = (pending.lowerBound + Int(used))..<pending.upperBound
      guard unsafe frame.frame_type != 0 else { continue }
      try tune()
      unreleased += unsafe frame.frame_type == UInt8(AMQP_FRAME_BODY) ? Self.mostUnreleased : 1
      return unsafe frame
    }
    if unreleased > 0 { release() }
    return nil
  }

  /// Reads more bytes; only when `next()` has returned nil.
  mutating func fill(from transport: inout Transport) -> Transport.Result {
    let result = unsafe transport.read(into: buffer)
    if case .done(let count) = result { pending = 0..<count }
    return result
  }

  /// The library accepts another maximum only after the first frame.
  private mutating func tune() throws(AMQPError) {
    guard !isTuned else { return }
    isTuned = true
    let status = unsafe amqp_tune_connection(state, 0, Self.largestFrame, 0)
    guard status == AMQP_STATUS_OK.rawValue else { throw AMQPError(status: status, "log in") }
  }

  private mutating func release() {
    unsafe amqp_maybe_release_buffers(state)
    unreleased = 0
  }
}
