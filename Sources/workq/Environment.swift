internal import Glibc

/// The process's environment.
enum Environment {
  /// The value of a variable; an empty one counts as not set.
  static subscript(name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}
