extension Duration {
  /// The time in its largest unit, with one decimal at most: "20 ms", "0.5 s", "45 s", "12 min", "1.5 h", "6 d".
  var formatted: String {
    let milliseconds = Int((self / .milliseconds(1)).rounded())
    guard milliseconds == 0 || milliseconds >= 100 else { return "\(milliseconds) ms" }
    let seconds = self / .seconds(1)
    return switch seconds {
    case ..<9.95: "\(Self.oneDecimal(seconds)) s"
    case ..<119.5: "\(Int(seconds.rounded())) s"
    case ..<3570: "\(Int((seconds / 60).rounded())) min"
    case ..<172_800: "\(Self.oneDecimal(seconds / 3600)) h"
    default: "\(NumberFormat.grouped(Int((seconds / 86_400).rounded()))) d"
    }
  }

  private static func oneDecimal(_ number: Double) -> String {
    let rounded = (number * 10).rounded() / 10
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}
