/// The only definition of the version: the Makefile reads it, and a test compares the manual with it.
enum Version {
  static let current = "1.0.0"
}
