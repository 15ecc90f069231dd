extension Duration {
  /// For a sentence: "20 ms", "0.5 s", "45 s", "12 min", "3.5 h".
  var spoken: String {
    let milliseconds = Int((self / .milliseconds(1)).rounded())
    guard milliseconds == 0 || milliseconds >= 100 else { return "\(milliseconds) ms" }
    let seconds = (self / .milliseconds(100)).rounded() / 10
    return switch seconds {
    case ..<10 where seconds != seconds.rounded(): "\(seconds) s"
    case ..<120: "\(Int(seconds.rounded())) s"
    case ..<7200: "\(Int((seconds / 60).rounded())) min"
    default: "\((seconds / 360).rounded() / 10) h"
    }
  }
}
