import Testing

/// Expects what a call returns that may throw: of `#expect(try …)` a failure would not show the value.
public func expect<Value: Equatable>(
  _ value: @autoclosure () throws -> Value, equals expected: Value,
  _ comment: @autoclosure () -> Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) rethrows {
  let actual = try value()
  #expect(actual == expected, comment(), sourceLocation: sourceLocation)
}
