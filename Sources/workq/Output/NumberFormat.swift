/// Numbers in messages.
enum NumberFormat {
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
}
