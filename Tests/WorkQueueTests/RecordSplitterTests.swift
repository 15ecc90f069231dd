import Foundation
import TestSupport
import Testing

@testable import WorkQueue

@Suite(.units) struct RecordSplitterTests {
  /// All records of a stream that arrives in pieces of these sizes, repeated in turn.
  private func records(_ stream: [UInt8], _ delimiter: [UInt8], pieces: [Int]) -> [[UInt8]] {
    var splitter = RecordSplitter(delimiter: delimiter)
    var (records, start, turn) = ([[UInt8]](), 0, 0)
    while start < stream.count {
      let end = min(stream.count, start + pieces[turn % pieces.count])
      stream[start..<end].withUnsafeBytes { splitter.append($0) }
      while let record = splitter.next() { records.append(record) }
      (start, turn) = (end, turn + 1)
    }
    if let rest = splitter.rest() { records.append(rest) }
    let (none, nothing) = (splitter.rest(), splitter.next())
    #expect(none == nil)
    #expect(nothing == nil)
    return records
  }

  /// The expected records, found by a comparison at every position.
  private func naive(_ stream: [UInt8], _ delimiter: [UInt8]) -> [[UInt8]] {
    var (records, record, index) = ([[UInt8]](), [UInt8](), 0)
    while index < stream.count {
      if !delimiter.isEmpty && stream[index...].starts(with: delimiter) {
        records.append(record)
        record = []
        index += delimiter.count
      } else {
        record.append(stream[index])
        index += 1
      }
    }
    return record.isEmpty ? records : records + [record]
  }

  @Test func `splits at any delimiter when the stream arrives in pieces of any size`() {
    var random = SeededRandom(seed: 3)
    for _ in 0..<4000 {
      // Few letters, so that incomplete and overlapping delimiters are frequent.
      let letters = UInt8.random(in: 1...3, using: &random)
      func text(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0..<letters, using: &random) } }
      let delimiter = text(.random(in: 0...4, using: &random))
      let stream = text(.random(in: 0...60, using: &random))
      let pieces = (0..<3).map { _ in Int.random(in: 1...12, using: &random) }
      #expect(
        records(stream, delimiter, pieces: pieces) == naive(stream, delimiter),
        "\(stream) at \(delimiter) in pieces of \(pieces)")
    }
  }

  @Test func `returns empty records, and a last record without a delimiter`() {
    let newline = Array("\n".utf8)
    let cases: [(String, [String])] = [
      ("", []), ("\n", [""]), ("\n\n", ["", ""]), ("a", ["a"]), ("a\n", ["a"]), ("\na", ["", "a"]),
      ("a\n\nb", ["a", "", "b"]), ("a\r\n", ["a\r"]),
    ]
    for (stream, expected) in cases {
      for size in 1...3 {
        #expect(records(Array(stream.utf8), newline, pieces: [size]) == expected.map { Array($0.utf8) })
      }
    }
  }

  /// This takes 0.1 s; a new search of the whole record for each piece would take minutes.
  @Test func `reads a record of 50 MiB in small pieces within 30 s`() {
    let piece = [UInt8](repeating: 0x61, count: 4096)
    for delimiter in ["\n", "\r\n", "ab"] {
      var splitter = RecordSplitter(delimiter: Array(delimiter.utf8))
      let size = delimiter == "ab" ? 1 : 50  // every byte may start a delimiter
      let start = Date.now
      for _ in 0..<size * 256 {
        piece.withUnsafeBytes { splitter.append($0) }
        if splitter.next() != nil { Issue.record("a record ends where there is no delimiter") }
      }
      let rest = splitter.rest()
      #expect(rest?.count == size << 20)
      #expect(Date.now.timeIntervalSince(start) < 30)
    }
  }
}
