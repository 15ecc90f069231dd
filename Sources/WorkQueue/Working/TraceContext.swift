package import AMQP

/// The trace that a task belongs to, as in the W3C recommendation "Trace Context", level 1.
///
/// A task carries it in the headers `traceparent` and `tracestate`, a process in the environment variables
/// `TRACEPARENT` and `TRACESTATE`. A malformed `traceparent` means no context; a malformed `tracestate` is omitted.
package struct TraceContext: Equatable, Sendable {
  package static let parentHeader = "traceparent"
  package static let stateHeader = "tracestate"
  package static let parentVariable = "TRACEPARENT"
  package static let stateVariable = "TRACESTATE"
  /// The length of a `traceparent` of version 00, and of the known part of later versions.
  private static let parentLength = 55
  private static let mostMembers = 32

  package let parent: String
  package let state: String?

  /// - Returns: nil when there is no `parent`, or it is malformed.
  package init?(parent: String?, state: String?) {
    guard let parent, Self.isParent(Array(parent.utf8)) else { return nil }
    self.parent = parent
    self.state = state.flatMap { Self.isState($0) ? $0 : nil }
  }

  /// The context that a task carries.
  package init?(_ headers: FieldTable?) {
    self.init(parent: headers?[Self.parentHeader]?.text, state: headers?[Self.stateHeader]?.text)
  }

  /// Adds the context to a task that has none.
  package func add(to headers: inout FieldTable?) {
    var table = headers ?? FieldTable()
    guard table[Self.parentHeader] == nil else { return }
    table[Self.parentHeader] = .text(parent)
    if let state, table[Self.stateHeader] == nil { table[Self.stateHeader] = .text(state) }
    headers = table
  }

  // MARK: Format

  /// Hexadecimal digits, separated by dashes: 2 of version, 32 of trace id, 16 of parent id, 2 of flags.
  private static func isParent(_ text: [UInt8]) -> Bool {
    let fields = text.split(separator: UInt8(ascii: "-"), maxSplits: 4, omittingEmptySubsequences: false)
    guard fields.count >= 4, fields.prefix(4).map(\.count) == [2, 32, 16, 2],
      fields.prefix(4).joined().allSatisfy(isHexDigit)
    else { return false }
    let zero = UInt8(ascii: "0")
    let version = Array(fields[0])
    guard version != Array("ff".utf8), fields[1].contains(where: { $0 != zero }),
      fields[2].contains(where: { $0 != zero })
    else { return false }
    // A later version may have more fields; they must be valid in an environment variable.
    return version == [zero, zero]
      ? text.count == parentLength : text.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// A hex digit in lower case.
  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
  }

  /// Members `key=value`, separated by commas; some may be empty.
  private static func isState(_ text: String) -> Bool {
    let blanks: [UInt8] = [0x20, 0x09]
    let members = text.utf8.split(separator: UInt8(ascii: ",")).map { member in
      Array(member.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
    }.filter { !$0.isEmpty }
    let keys = members.map { $0.prefix { $0 != UInt8(ascii: "=") } }
    return (1...mostMembers).contains(members.count) && members.allSatisfy(isMember)
      && Set(keys).count == keys.count
  }

  private static func isMember(_ member: [UInt8]) -> Bool {
    let equals = UInt8(ascii: "=")
    guard let end = member.firstIndex(of: equals) else { return false }
    let (key, value) = (member[..<end], member[(end + 1)...])
    guard (1...256).contains(key.count), key.first.map(isKeyStart) == true, key.allSatisfy(isOfKey) else {
      return false
    }
    return (1...256).contains(value.count)
      && value.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ",") && $0 != equals }
  }

  private static func isKeyStart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: false
    }
  }

  private static func isOfKey(_ byte: UInt8) -> Bool {
    isKeyStart(byte) || "_-*/@".utf8.contains(byte)
  }
}
