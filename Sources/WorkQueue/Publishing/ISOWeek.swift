/// A week of the ISO 8601 calendar, in UTC: it begins on a Monday and belongs to the year of its Thursday.
package struct ISOWeek: Hashable, Sendable, CustomStringConvertible {
  private static let secondsPerDay = 86_400

  /// Weeks since the one with 1 January 1970, which was a Thursday.
  private let index: Int

  private init(index: Int) {
    self.index = index
  }

  /// The week that contains this moment, in seconds since 1970; it may be negative.
  package init(secondsSince1970 seconds: Int) {
    let day = (seconds - (seconds < 0 ? Self.secondsPerDay - 1 : 0)) / Self.secondsPerDay
    let monday = day + 3
    self.init(index: (monday - (monday < 0 ? 6 : 0)) / 7)
  }

  /// The weeks from `first` to `last`, both included, the latest first.
  package static func weeks(from first: ISOWeek, to last: ISOWeek) -> [ISOWeek] {
    (min(first.index, last.index)...last.index).reversed().map(ISOWeek.init(index:))
  }

  /// For example "2026w48".
  package var description: String {
    let thursday = index * 7
    // 400 years of the Gregorian calendar have 146,097 days; the estimate is one year off at most.
    var year = 1970 + thursday * 400 / 146_097
    while Self.firstDay(of: year) > thursday { year -= 1 }
    while Self.firstDay(of: year + 1) <= thursday { year += 1 }
    let week = (thursday - Self.firstDay(of: year)) / 7 + 1
    return "\(year)w\(week < 10 ? "0" : "")\(week)"
  }

  /// Days from 1 January 1970 to 1 January of a year after 0.
  private static func firstDay(of year: Int) -> Int {
    let before = year - 1
    return before * 365 + before / 4 - before / 100 + before / 400 - 719_162
  }
}
