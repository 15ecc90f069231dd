/// Numbers as people read them.
enum Figures {
  /// "1,204,000".
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = String(number.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return number < 0 ? "-\(text)" : text
  }

  /// A rate without its sign: "40/s", "1.5/s".
  static func rate(_ perSecond: Double) -> String {
    let size = abs(perSecond)
    let tenths = (size * 10).rounded()
    guard tenths < 100, tenths.truncatingRemainder(dividingBy: 10) != 0 else {
      return "\(grouped(Int(min(size, 1e12).rounded())))/s"
    }
    return "\(tenths / 10)/s"
  }

  /// A rate of change: "+40/s", "-1.5/s", "0/s".
  static func change(_ perSecond: Double) -> String {
    let text = rate(perSecond)
    return text == "0/s" ? text : (perSecond < 0 ? "-" : "+") + text
  }

  /// A time in its largest unit: "40 s", "3 min", "2 h", "5 d".
  static func time(_ duration: Duration) -> String {
    let seconds = duration / .seconds(1)
    for (unit, size) in [("d", 86_400.0), ("h", 3600), ("min", 60)] where seconds >= 2 * size {
      return "\(grouped(Int((seconds / size).rounded()))) \(unit)"
    }
    let isWhole = seconds == seconds.rounded()
    return seconds >= 10 || isWhole ? "\(Int(seconds.rounded())) s" : "\((seconds * 10).rounded() / 10) s"
  }
}
