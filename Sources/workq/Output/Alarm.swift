/// Why a broker blocks publishers, in RabbitMQ's terms.
enum Alarm {
  /// "memory alarm" for "low on memory".
  static func description(of reason: String) -> String {
    switch reason {
    case "low on memory": "memory alarm"
    case "low on disk": "disk alarm"
    default: Quoted.plain(reason)
    }
  }
}
