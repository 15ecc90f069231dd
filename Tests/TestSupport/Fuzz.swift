import Foundation

/// How many cases the tests with made-up input try.
public enum Fuzz {
  /// So many by default, and WORKQ_FUZZ times as many when that is set.
  public static func cases(_ count: Int) -> Int {
    count * max(1, ProcessInfo.processInfo.environment["WORKQ_FUZZ"].flatMap { Int($0) } ?? 1)
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
