internal import AMQP
internal import Glibc
internal import WorkQueue

/// The program's two outputs: data on stdout, diagnostics on stderr; unbuffered, unless data is held.
struct Console {
  enum ColorMode: String, CaseIterable {
    case auto
    case always
    case never
  }

  /// The kind of a message, which decides its colour, and its syslog(3) priority in the journal.
  private enum Style: Int {
    case failure = 3
    case notice = 4
    case plain = 6
    case detail = 7

    var color: String? {
      switch self {
      case .failure: "31;1"
      case .notice: "33"
      case .plain, .detail: nil
      }
    }
  }

  var isQuiet = false
  var isVerbose = false
  var colorMode = ColorMode.auto
  /// Whether messages begin with the time.
  var hasTimestamps = false
  /// Lines of data to be written together.
  private var held: HeldLines?

  init(isQuiet: Bool = false, isVerbose: Bool = false, colorMode: ColorMode = .auto) {
    (self.isQuiet, self.isVerbose, self.colorMode) = (isQuiet, isVerbose, colorMode)
  }

  static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Whether stdout is a terminal whose cursor can be moved.
  static var outputIsScreen: Bool { outputIsTerminal && ![nil, "dumb"].contains(Environment["TERM"]) }

  private final class HeldLines {
    var bytes: [UInt8] = []
    /// The maximum to hold, in bytes.
    let limit: Int

    init(limit: Int) {
      self.limit = limit
    }
  }

  /// A console that keeps up to `limit` bytes of data until `showHeld()`, or until something else is written.
  func holding(_ limit: Int = 65_536) -> Console {
    var console = self
    console.held = HeldLines(limit: limit)
    return console
  }

  /// Writes the held data.
  func showHeld() {
    guard let held, !held.bytes.isEmpty else { return }
    Self.write(held.bytes, to: STDOUT_FILENO)
    held.bytes.removeAll(keepingCapacity: true)
  }

  /// Writes a line of data.
  func print(_ line: String) {
    guard let held else { return Self.write(Array("\(line)\n".utf8), to: STDOUT_FILENO) }
    held.bytes.append(contentsOf: line.utf8)
    held.bytes.append(UInt8(ascii: "\n"))
    if held.bytes.count > held.limit { showHeld() }
  }

  /// Writes an object of `--json`.
  func print(_ object: JSONObject) { print(object.line) }

  /// Writes data unchanged.
  func print(bytes: [UInt8]) {
    showHeld()
    Self.write(bytes, to: STDOUT_FILENO)
  }

  /// Writes another program's output, byte for byte.
  func pass(_ bytes: ArraySlice<UInt8>, to stream: OutputStream) {
    showHeld()
    Self.write(Array(bytes), to: stream == .stdout ? STDOUT_FILENO : STDERR_FILENO)
  }

  /// Writes a machine-readable line to stderr.
  func log(_ line: String) {
    showHeld()
    Self.write(Array("\(line)\n".utf8), to: STDERR_FILENO)
  }

  /// Reports progress.
  func say(_ text: @autoclosure () -> String) {
    if !isQuiet { report(text(), .plain) }
  }

  /// Reports a problem that is being handled.
  func notice(_ text: @autoclosure () -> String) {
    if !isQuiet { report(text(), .notice) }
  }

  /// Reports details, with `--verbose`.
  func detail(_ text: @autoclosure () -> String) {
    if isVerbose { report(text(), .detail) }
  }

  /// Reports failed tasks, also with `--quiet`.
  func result(_ text: String) {
    report(text, .notice)
  }

  func failure(_ text: String) {
    report(text, .failure)
  }

  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  /// Whether stderr is a terminal whose cursor can be moved.
  static var errorIsScreen: Bool { errorIsTerminal && ![nil, "dumb"].contains(Environment["TERM"]) }

  /// Replaces the terminal's current line on stderr.
  static func draw(_ text: String) {
    write(Array("\r\(text)\u{1b}[K".utf8), to: STDERR_FILENO)
  }

  /// Asks the user at the terminal.
  ///
  /// - Returns: whether the answer was yes.
  func confirms(_ question: String) -> Bool {
    Self.write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }

  /// Sanitized, because it may contain untrusted text.
  private func report(_ text: String, _ style: Style) {
    showHeld()
    let lines =
      text.isPrintableASCII ? [text[...]] : text.split(separator: "\n", omittingEmptySubsequences: false)
    let priority = Self.errorIsJournal ? "<\(style.rawValue)>" : ""
    let text = lines.map { String($0).sanitized }.joined(separator: "\n\(priority)")
    var name = "workq:"
    if let color = style.color, showsColor { name = "\u{1b}[\(color)m\(name)\u{1b}[0m" }
    let time = hasTimestamps ? "\(WallClock.iso8601) " : ""
    Self.write(Array("\(priority)\(time)\(name) \(text)\n".utf8), to: STDERR_FILENO)
  }

  /// Whether stderr is the journal's socket (`JOURNAL_STREAM` of systemd.exec(5)), which takes priorities.
  private static let errorIsJournal: Bool = {
    var status = stat()
    guard let stream = Environment["JOURNAL_STREAM"], unsafe fstat(STDERR_FILENO, &status) == 0 else {
      return false
    }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }()

  private var showsColor: Bool { showsColor(on: STDERR_FILENO) }
  var showsColorOnOutput: Bool { showsColor(on: STDOUT_FILENO) }

  private func showsColor(on descriptor: Int32) -> Bool {
    switch colorMode {
    case .always: true
    case .never: false
    case .auto: isatty(descriptor) == 1 && Environment["NO_COLOR"] == nil
    }
  }

  /// Writes all bytes, or exits.
  ///
  /// Exits silently when the reader is gone, and with the reason when stdout cannot be written. The broker requeues
  /// running tasks.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    let code = BottomLine.write(bytes, to: descriptor)
    guard code != 0, descriptor == STDOUT_FILENO else { return }  // a failure of stderr cannot be reported
    BottomLine.end()
    Child.killAll()
    if code == EPIPE { Signals.die(by: SIGPIPE) }
    Console().failure("cannot write to stdout: \(unsafe String(cString: strerror(code)))")
    exit(ExitStatus.ioError.rawValue)
  }
}
