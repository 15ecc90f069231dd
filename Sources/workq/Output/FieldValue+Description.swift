internal import AMQP
internal import WorkQueue

extension FieldValue {
  /// The value for messages: as a user would type it, if possible.
  var description: String {
    switch self {
    case .decimal(let scale, let it): Self.decimal(it, scale: scale)
    case .octets(let it), .bytes(let it): Quoted.bytes(it)
    case .array(let it): "[\(it.map(\.description).joined(separator: ", "))]"
    case .table(let it):
      "{\(it.entries.map { "\($0.name): \($0.value.description)" }.joined(separator: ", "))}"
    default: plain ?? ""
    }
  }
}
