internal import Glibc
internal import Synchronization

/// A line at the bottom of a terminal on stderr, redrawn in place, and erased before anything else is written.
///
/// 1. Everything that the process writes to the terminal goes through `write(_:to:)`.
/// 2. The cursor stays at the line's start, so that it is in the line's first row even if the terminal becomes
///    narrower and wraps the line.
/// 3. It is drawn on an empty line only: it waits until a command has written its newline.
enum BottomLine {
  private struct State {
    var text: String?
    var isShown = false
    /// Whether the cursor is at the start of an empty line.
    var isAtLineStart = true
    var outputIsTerminal = false
    /// How many more times it may be drawn again below new lines before its next change.
    var redraws = 0
  }

  /// Limits drawing in a flood of lines.
  private static let mostRedraws = 20
  private static let erasure = Array("\r\u{1b}[J".utf8)

  private static let state = Mutex(State())

  /// Shows a text, which must fit in the terminal's width; does not wait for a stopped terminal (Ctrl-S).
  static func draw(_ text: String) {
    state.withLock { state in
      if state.text == nil { state.outputIsTerminal = Console.outputIsTerminal }
      guard StandardStreams.isWritable(STDERR_FILENO) else { return }
      state.redraws = mostRedraws
      guard state.isAtLineStart, state.text != text || !state.isShown else {
        state.text = text
        return
      }
      (state.text, state.isShown) = (text, true)
      _ = StandardStreams.write(drawing(text), to: STDERR_FILENO)
    }
  }

  /// Erases the line permanently.
  static func end() {
    state.withLock { state in
      if state.isShown { _ = StandardStreams.write(erasure, to: STDERR_FILENO) }
      (state.text, state.isShown) = (nil, false)
    }
  }

  /// Writes all bytes to stdout or stderr, and erases the line before if it is there.
  ///
  /// - Returns: the errno that ended it; 0 when all is written.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    state.withLock { state in
      let isThere = descriptor == STDERR_FILENO || state.outputIsTerminal
      guard let text = state.text, isThere, let last = bytes.last else {
        return StandardStreams.write(bytes, to: descriptor)
      }
      state.isAtLineStart = last == UInt8(ascii: "\n")
      var all = state.isShown ? erasure + bytes : bytes
      state.isShown = state.isShown && state.isAtLineStart && state.redraws > 0
      if state.isShown {
        all += drawing(text)
        state.redraws -= 1
      }
      return StandardStreams.write(all, to: descriptor)
    }
  }

  private static func drawing(_ text: String) -> [UInt8] { Array("\r\(text)\u{1b}[J\r".utf8) }
}
