import Foundation

/// The cases of tests with generated input.
public enum Fuzz {
  /// The usual number of cases, multiplied by WORKQ_FUZZ if that is set.
  public static func count(_ usual: Int) -> Int {
    usual * max(1, ProcessInfo.processInfo.environment["WORKQ_FUZZ"].flatMap { Int($0) } ?? 1)
  }

  /// The numbers of the cases; the sequence ends early when the maximum number of issues is reached.
  public static func cases(_ usual: Int) -> some Sequence<Int> {
    (0..<count(usual)).lazy.prefix { _ in !IssueCount.isReached }
  }
}

extension SeededRandom {
  /// Malformed input for a parser: some of `pieces`, with bytes changed, removed or inserted at random.
  public mutating func nonsense(_ pieces: [String], upTo limit: Int = 12) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 0...limit, using: &self) {
      bytes += (pieces.randomElement(using: &self) ?? "").utf8
    }
    for _ in 0..<([0, 0, 1, 3].randomElement(using: &self) ?? 0) where !bytes.isEmpty {
      let place = Int.random(in: bytes.indices, using: &self)
      switch Int.random(in: 0..<4, using: &self) {
      case 0: bytes[place] = .random(in: 0...255, using: &self)
      case 1: bytes.remove(at: place)
      case 2: bytes.insert(.random(in: 0...255, using: &self), at: place)
      default: bytes.removeSubrange(place...)
      }
    }
    return bytes
  }
}
