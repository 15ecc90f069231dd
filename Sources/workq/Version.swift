/// The one place that knows it.
enum Version {
  static let current = "0.1.0"
}
