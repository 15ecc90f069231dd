internal import AMQP

/// A segment's file format, which detects any changed byte.
///
/// A line names the format and the number of bytes that follow. Each task is a record: a checksum of the rest, three
/// lengths, the delay, and the three parts: `basic.publish` and the content header in AMQP's encoding, and the body.
/// 1.0's records can be read, too.
enum SpoolFile {
  /// A body of this size or more is not copied.
  private static let largestCopy = 65_536

  /// The contents of a file for `envelopes`, in pieces, so that large bodies are not copied.
  ///
  /// - Throws: `tooLarge` when AMQP cannot encode one of them.
  static func encode(_ envelopes: [Envelope]) throws(AMQPError) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var small: [UInt8] = []
    for envelope in envelopes {
      let body = envelope.message.body
      let encoded = try EncodedMessage(
        envelope.message, exchange: envelope.exchange, routingKey: envelope.routingKey)
      var start: [UInt8] = []
      start.append(number: UInt32(encoded.method.count))
      start.append(number: UInt32(encoded.header.count))
      start.append(number: UInt64(body.count))
      start.append(number: envelope.delay?.milliseconds ?? -1)
      start += encoded.method + encoded.header
      small.append(number: checksum([start, body]))
      small += start
      if body.count < largestCopy {
        small += body
      } else {
        pieces += [small, body]
        small = []
      }
    }
    pieces.append(small)
    return [Form.current.header(size: pieces.reduce(0) { $0 + $1.count })] + pieces
  }

  /// Reads the envelopes from a file of `size` bytes, and never more than these.
  ///
  /// `read` returns this number of the file's next bytes, fewer at its end. Throws `corrupt`, and what `read` throws.
  static func decode(
    _ path: FilePath, size: Int, read: (Int) throws(SpoolError) -> [UInt8]
  ) throws(SpoolError) -> [Envelope] {
    var rest = size - Form.current.header(size: 0).count
    let header = rest < 0 ? [] : try read(size - rest)
    guard let form = Form.allCases.first(where: { $0.header(size: rest) == header }) else {
      throw SpoolError(.corrupt, path, "it is no spool file, or not complete")
    }
    var envelopes: [Envelope] = []
    while rest > 0 {
      let task = "task \(envelopes.count + 1)"
      let start = try read(form.startSize)
      guard start.count == form.startSize else {
        throw SpoolError(.corrupt, path, "\(task) is not complete")
      }
      rest -= start.count
      var parts: [[UInt8]] = []
      for length in form.lengths(start) {
        guard let length = Int(exactly: length), length <= rest else {
          throw SpoolError(.corrupt, path, "the lengths of \(task) are wrong")
        }
        parts.append(try read(length))
        rest -= length
      }
      guard checksum([Array(start.dropFirst(4))] + parts) == start.number(at: 0),
        let envelope = form.envelope(start, parts)
      else { throw SpoolError(.corrupt, path, "\(task) is damaged") }
      envelopes.append(envelope)
    }
    return envelopes
  }

  private static func checksum(_ parts: [[UInt8]]) -> UInt32 {
    var checksum = Checksum()
    for part in parts { checksum.add(part) }
    return checksum.value
  }
}

extension SpoolFile {
  /// The format of records.
  private enum Form: Int, CaseIterable {
    /// A table of workq's own, and the body.
    case former = 1
    case current = 2

    /// The first line of a file, with the number of bytes that follow.
    func header(size: Int) -> [UInt8] {
      let digits = String(size)
      let zeros = String(repeating: "0", count: 20 - digits.count)
      return Array("workq spool \(rawValue), bytes: \(zeros)\(digits)\n".utf8)
    }

    /// Number of bytes before the parts.
    var startSize: Int { self == .former ? 16 : 28 }

    func lengths(_ start: [UInt8]) -> [UInt64] {
      let first = UInt64(start.number(at: 4) as UInt32)
      return switch self {
      case .former: [first, start.number(at: 8)]
      case .current: [first, UInt64(start.number(at: 8) as UInt32), start.number(at: 12)]
      }
    }

    /// - Returns: nil when the parts are malformed.
    func envelope(_ start: [UInt8], _ parts: [[UInt8]]) -> Envelope? {
      switch self {
      case .former: return Envelope(former: parts[0], body: parts[1])
      case .current:
        guard let it = EncodedMessage(method: parts[0], header: parts[1]).decode(body: parts[2]) else {
          return nil
        }
        let delay: Int64 = start.number(at: 20)
        return Envelope(
          it.message, exchange: it.exchange, routingKey: it.routingKey,
          delay: delay < 0 ? nil : .milliseconds(delay))
      }
    }
  }
}

extension [UInt8] {
  /// In network byte order.
  fileprivate mutating func append(number: some FixedWidthInteger) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  fileprivate func number<Number: FixedWidthInteger>(at place: Int) -> Number {
    self[place..<place + Number.bitWidth / 8].reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }
}

/// The CRC-32 of gzip: detects every burst of up to 32 bits, and all but one in four billion other changes.
struct Checksum {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xedb8_8320 }
  }

  private var state = UInt32.max

  var value: UInt32 { ~state }

  mutating func add(_ bytes: [UInt8]) {
    let table = Self.table
    for byte in bytes { state = state >> 8 ^ table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] }
  }
}
