internal import CRabbitMQ
internal import Glibc

/// Encodes frames by rabbitmq-c, and sends them.
///
/// 1. Frames are encoded back to back, so that one write sends many; rabbitmq-c needs three writes per message.
/// 2. Bytes that the transport does not accept stay here: no write blocks, even if the broker has stopped reading.
/// 3. Large bodies are not copied.
struct FrameWriter {
  /// Bodies of at least this size, in bytes, are sent without copying.
  private static let largestCopy = 16_384
  /// Enough for most messages' encoded frames, in bytes.
  private static let usualRoom = 4096

  /// Older than `small`, without the part that was sent.
  private var segments: [ArraySlice<UInt8>] = []
  /// Small frames back to back; the first `smallSent` bytes are sent.
  private var small: [UInt8] = []
  private var smallSent = 0
  private var scratch = [UInt8](repeating: 0, count: Self.usualRoom)
  /// Bytes that the transport has not accepted.
  private(set) var count = 0
  /// The error that ended writing; what can still be read may explain it.
  private(set) var failure: AMQPError?

  var isEmpty: Bool { count == 0 }

  // MARK: Frames

  mutating func append(_ bytes: some Collection<UInt8>) {
    small.append(contentsOf: bytes)
    count += bytes.count
  }

  /// A number in network byte order.
  private mutating func append(number: some FixedWidthInteger) {
    unsafe withUnsafeBytes(of: number.bigEndian) { unsafe small.append(contentsOf: $0) }
    count += number.bitWidth / 8
  }

  /// A method frame; `method` points to the library's structure for `id`.
  mutating func append(
    _ id: amqp_method_number_t, on channel: UInt16, _ method: UnsafeMutableRawPointer, _ operation: String
  ) throws(AMQPError) {
    let payload = unsafe try encode(operation) { unsafe amqp_encode_method(id, method, $0) }
    beginFrame(UInt8(AMQP_FRAME_METHOD), channel, size: 4 + payload)
    append(number: id)
    endFrame(payload)
  }

  /// A message: its method, header and body frames; all or nothing.
  mutating func append(
    _ method: inout amqp_basic_publish_t, _ properties: inout amqp_basic_properties_t, _ body: [UInt8],
    on channel: UInt16, frameMax: Int
  ) throws(AMQPError) {
    let (before, countBefore) = (small.count, count)
    do throws(AMQPError) {
      try unsafe append(AMQP_BASIC_PUBLISH_METHOD, on: channel, &method, "publish")
      try unsafe appendHeader(&properties, bodySize: body.count, on: channel, frameMax: frameMax)
    } catch {
      small.removeLast(small.count - before)
      count = countBefore
      throw error
    }
    let piece = frameMax - 8
    var start = 0
    while start < body.count {
      let end = min(start + piece, body.count)
      beginFrame(UInt8(AMQP_FRAME_BODY), channel, size: end - start)
      append(body: body[start..<end])
      append(number: UInt8(AMQP_FRAME_END))
      start = end
    }
  }

  /// A content header frame.
  ///
  /// - Throws: `tooLarge` when the frame, including its first seven and its last byte, exceeds `frameMax`.
  mutating func appendHeader(
    _ properties: inout amqp_basic_properties_t, bodySize: Int, on channel: UInt16, frameMax: Int
  ) throws(AMQPError) {
    let payload = try unsafe withUnsafeMutablePointer(to: &properties) { properties throws(AMQPError) in
      unsafe try encode("publish") {
        unsafe amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), properties, $0)
      }
    }
    guard 12 + payload <= frameMax - 8 else { throw Self.headersTooLarge("publish") }
    beginFrame(UInt8(AMQP_FRAME_HEADER), channel, size: 12 + payload)
    append(number: UInt32(AMQP_BASIC_CLASS) << 16)  // the class and its weight, which is 0
    append(number: UInt64(bodySize))
    endFrame(payload)
  }

  /// A heartbeat frame.
  mutating func appendHeartbeat() {
    beginFrame(UInt8(AMQP_FRAME_HEARTBEAT), 0, size: 0)
    append(number: UInt8(AMQP_FRAME_END))
  }

  private mutating func beginFrame(_ type: UInt8, _ channel: UInt16, size: Int) {
    // Seven bytes, the highest of a word of eight.
    let word = UInt64(type) << 56 | UInt64(channel) << 40 | UInt64(UInt32(size)) << 8
    unsafe withUnsafeBytes(of: word.bigEndian) { unsafe small.append(contentsOf: $0.prefix(7)) }
    count += 7
  }

  private mutating func endFrame(_ encoded: Int) {
    append(scratch[..<encoded])
    append(number: UInt8(AMQP_FRAME_END))
  }

  private mutating func append(body: ArraySlice<UInt8>) {
    guard body.count >= Self.largestCopy else { return append(body) }
    if smallSent < small.count { segments.append(small[smallSent...]) }
    (small, smallSent) = ([], 0)
    segments.append(body)
    count += body.count
  }

  /// Runs one of the library's encoders on the scratch memory, and enlarges it if necessary.
  private mutating func encode(
    _ operation: String, _ encoder: (amqp_bytes_t) -> Int32
  ) throws(AMQPError) -> Int {
    var status: Int32 = 0
    for room in [Self.usualRoom, Connection.frameMax] {
      if scratch.count < room { scratch = [UInt8](repeating: 0, count: room) }
      status = unsafe scratch.withUnsafeMutableBytes {
        unsafe encoder(amqp_bytes_t(len: $0.count, bytes: $0.baseAddress))
      }
      if status >= 0 { return Int(status) }
    }
    throw Self.headersTooLarge(operation)
  }

  private static func headersTooLarge(_ operation: String) -> AMQPError {
    AMQPError(.tooLarge, operation, "the headers are larger than a frame")
  }

  // MARK: Sending

  /// Writes as much as the transport accepts.
  ///
  /// - Returns: whether it accepted anything.
  mutating func flush(to transport: inout Transport) -> Bool {
    let before = count
    for index in segments.indices {
      segments[index] = segments[index].dropFirst(send(segments[index], to: &transport, hasMore: true))
      guard segments[index].isEmpty else { break }
    }
    segments.removeAll(where: \.isEmpty)
    if segments.isEmpty {
      smallSent += send(small[smallSent...], to: &transport)
      if smallSent == small.count {
        small.removeAll(keepingCapacity: true)
        smallSent = 0
      } else if smallSent > Self.largestCopy && smallSent > small.count / 2 {
        // Otherwise a transport that never accepts everything would make us keep all bytes that it has accepted.
        small.removeFirst(smallSent)
        smallSent = 0
      }
    }
    guard transport.holdsOutput else { return count < before }
    let result = transport.flush()
    if case .failed(let error) = result { failure = error }
    return count < before || result != .done(0)
  }

  /// Writes as many bytes as the transport accepts, from the beginning.
  ///
  /// - Returns: how many bytes it accepted.
  private mutating func send(
    _ bytes: ArraySlice<UInt8>, to transport: inout Transport, hasMore: Bool = false
  ) -> Int {
    var sent = 0
    unsafe bytes.withUnsafeBytes { buffer in
      while sent < buffer.count, failure == nil {
        switch unsafe transport.write(UnsafeRawBufferPointer(rebasing: buffer[sent...]), hasMore: hasMore) {
        case .done(let count): sent += count
        case .failed(let error): failure = error
        case .end: failure = AMQPError(.lost, "send to the broker", "the broker closed the connection")
        case .blocked: return
        }
      }
    }
    count -= sent
    return sent
  }
}
