import Testing

/// Expects the value of a call that may throw; a failure of `#expect(try …)` would not show the value.
public func expect<Value: Equatable>(
  _ value: @autoclosure () throws -> Value, equals expected: Value,
  _ comment: @autoclosure () -> Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) rethrows {
  let actual = try value()
  #expect(actual == expected, comment(), sourceLocation: sourceLocation)
}
