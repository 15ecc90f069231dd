/// Rows of text in columns.
enum Table {
  enum Alignment {
    case left
    case right
  }

  /// The rows as lines, each column as wide as its widest cell; no line ends in blanks.
  static func lines(_ rows: [[String]], _ alignments: [Alignment] = []) -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let isRight = column < alignments.count && alignments[column] == .right
        return isRight ? cell.paddedLeft(to: widths[column]) : cell.padded(to: widths[column])
      }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}

extension String {
  /// Padded with blanks on the right.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  /// Padded with blanks on the left.
  func paddedLeft(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

  /// Cut to `width` characters, with "…" in the middle.
  func shortened(to width: Int) -> String {
    guard count > width else { return self }
    guard width > 1 else { return String(prefix(width)) }
    let head = (width - 1) / 2
    return "\(prefix(head))…\(suffix(width - 1 - head))"
  }
}
