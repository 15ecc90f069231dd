internal import Glibc

/// The terminal on stdout, while a screen is shown.
struct Terminal {
  let console: Console
  let showsColor: Bool

  /// Its width and height in characters.
  static var size: (columns: Int, rows: Int) { size(of: STDOUT_FILENO) }

  /// The width and height of the terminal on a descriptor, in characters.
  static func size(of descriptor: Int32) -> (columns: Int, rows: Int) {
    var size = winsize()
    guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return (80, 24)
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Switches to xterm's alternate screen, without a cursor.
  func enter() { write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[2J") }

  /// Switches back to the normal screen.
  func exit() { write("\u{1b}[?25h\u{1b}[?1049l") }

  /// Draws over the old contents, without clearing the screen first, so that it does not flicker.
  func draw(_ lines: [StatusScreen.Line]) {
    let shown = lines.map { "\(styled($0))\u{1b}[K" }
    write("\u{1b}[H" + shown.joined(separator: "\r\n") + "\u{1b}[J")
  }

  private func styled(_ line: StatusScreen.Line) -> String {
    guard showsColor else { return line.text }
    return switch line.style {
    case .plain: line.text
    case .title: "\u{1b}[1m\(line.text)\u{1b}[0m"
    case .warning: "\u{1b}[33m\(line.text)\u{1b}[0m"
    }
  }

  private func write(_ text: String) { console.print(bytes: Array(text.utf8)) }
}

/// The time of day, in the user's time zone.
enum WallClock {
  /// Seconds since 1970.
  static var seconds: Int { time(nil) }

  static var text: String {
    var now = time(nil)
    var parts = unsafe tm()
    unsafe localtime_r(&now, &parts)
    let numbers = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
    return numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
  }

  /// Now, in ISO 8601, to the second.
  static var iso8601: String { iso8601(seconds) }

  /// "2026-11-30T09:05:00Z", for seconds since 1970.
  static func iso8601(_ seconds: Int) -> String {
    var (time, parts) = unsafe (time_t(seconds), tm())
    unsafe gmtime_r(&time, &parts)
    let numbers = unsafe [
      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
    ]
    let texts = numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }
    return "\(texts[..<3].joined(separator: "-"))T\(texts[3...].joined(separator: ":"))Z"
  }
}
