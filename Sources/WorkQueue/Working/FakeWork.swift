/// The work that the tutorial's workers pretend to do.
package enum FakeWork {
  /// How long a task takes: `dot` for each "." in its body.
  package static func duration(of body: [UInt8], dot: Duration) -> Duration {
    let dots = body.count { $0 == UInt8(ascii: ".") }
    return dots == 0 ? .zero : dot * dots
  }
}
