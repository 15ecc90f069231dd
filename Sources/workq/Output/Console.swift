internal import AMQP
internal import Glibc
internal import WorkQueue

/// The program's two outputs: data on stdout, words for people on stderr; unbuffered, unless asked to hold.
struct Console {
  enum ColorMode: String, CaseIterable {
    case auto
    case always
    case never
  }

  /// What a message is about: its colour, and its priority in the journal, as syslog(3) counts them.
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
  /// Lines of data that are to be written together.
  private var held: HeldLines?

  init(isQuiet: Bool = false, isVerbose: Bool = false, colorMode: ColorMode = .auto) {
    (self.isQuiet, self.isVerbose, self.colorMode) = (isQuiet, isVerbose, colorMode)
  }

  static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Whether stdout is a terminal whose cursor can be moved.
  static var outputIsScreen: Bool { outputIsTerminal && ![nil, "dumb"].contains(Environment["TERM"]) }

  private final class HeldLines {
    var bytes: [UInt8] = []
    /// More than this is not held.
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

  /// Writes what is held.
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

  /// Writes data as it is.
  func print(bytes: [UInt8]) {
    showHeld()
    Self.write(bytes, to: STDOUT_FILENO)
  }

  /// Writes what somebody else has written, byte for byte.
  func pass(_ bytes: ArraySlice<UInt8>, to stream: OutputStream) {
    showHeld()
    Self.write(Array(bytes), to: stream == .stdout ? STDOUT_FILENO : STDERR_FILENO)
  }

  /// Writes a line to stderr that is meant for programs.
  func log(_ line: String) {
    showHeld()
    Self.write(Array("\(line)\n".utf8), to: STDERR_FILENO)
  }

  /// Tells people what is being done.
  func say(_ text: @autoclosure () -> String) {
    if !isQuiet { report(text(), .plain) }
  }

  /// Tells people of something that did not go as wished but is dealt with.
  func notice(_ text: @autoclosure () -> String) {
    if !isQuiet { report(text(), .notice) }
  }

  /// Tells people who want to know.
  func detail(_ text: @autoclosure () -> String) {
    if isVerbose { report(text(), .detail) }
  }

  /// Tells people of tasks that failed, also with `--quiet`.
  func result(_ text: String) {
    report(text, .notice)
  }

  func failure(_ text: String) {
    report(text, .failure)
  }

  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  /// Whether stderr is a terminal whose cursor can be moved.
  static var errorIsScreen: Bool { errorIsTerminal && ![nil, "dumb"].contains(Environment["TERM"]) }

  /// Replaces the terminal's present line on stderr.
  static func draw(_ text: String) {
    write(Array("\r\(text)\u{1b}[K".utf8), to: STDERR_FILENO)
  }

  /// Puts a question to a person at a terminal.
  ///
  /// - Returns: whether the answer was yes.
  func confirms(_ question: String) -> Bool {
    Self.write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }

  /// Words of strangers may be in it: whatever they are, they do not move the cursor.
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

  /// Writes all of the bytes, or ends the program.
  ///
  /// Quietly when the reader has gone, and with the reason when stdout cannot be written. A task that was
  /// being worked on goes back to its queue.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    let code = BottomLine.write(bytes, to: descriptor)
    guard code != 0, descriptor == STDOUT_FILENO else { return }  // of stderr nobody is left to tell
    BottomLine.end()
    Child.killAll()
    if code == EPIPE { Signals.die(by: SIGPIPE) }
    Console().failure("cannot write to stdout: \(unsafe String(cString: strerror(code)))")
    exit(ExitStatus.ioError.rawValue)
  }
}
