/// The one place that knows it: the Makefile reads it here, and a test holds the manual to it.
enum Version {
  static let current = "1.0.0"
}
