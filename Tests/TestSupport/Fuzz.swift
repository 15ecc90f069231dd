import Foundation

/// The cases that the tests with made-up input try.
public enum Fuzz {
  /// The usual number of cases, or WORKQ_FUZZ times as many when that is set.
  public static func count(_ usual: Int) -> Int {
    usual * max(1, ProcessInfo.processInfo.environment["WORKQ_FUZZ"].flatMap { Int($0) } ?? 1)
  }

  /// The numbers of that many cases; they end early when the test has failed often enough.
  public static func cases(_ usual: Int) -> some Sequence<Int> {
    (0..<count(usual)).lazy.prefix { _ in !IssueCount.isReached }
  }
}

extension SeededRandom {
  /// Bytes that a reader of such things may trip over: pieces of `words`, broken, and noise.
  public mutating func nonsense(_ words: [String], upTo limit: Int = 12) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 0...limit, using: &self) {
      bytes += (words.randomElement(using: &self) ?? "").utf8
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
