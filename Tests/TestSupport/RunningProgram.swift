import Foundation

/// A running program, which is killed when this object is deallocated.
///
/// posix_spawn(3) starts it, because Foundation's `Process` passes on the signal mask of the calling thread.
/// A child of a Dispatch thread would not receive SIGINT, SIGTERM and SIGHUP.
public final class RunningProgram {
  public let pid: Int32
  private let directory: URL
  private let description: String
  private let keyboard: FileHandle?
  /// The status from waitpid(2); while it is nil, the pid still belongs to this program.
  private var ending: Int32?

  init(_ program: Program, input: [UInt8]?) throws {
    description = ([program.path] + program.arguments).joined(separator: " ")
    directory = FileManager.default.temporaryDirectory.appending(path: "workq-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var spawn = Spawn()
    if let input {
      let path = directory.appending(path: "input")
      try Data(input).write(to: path)
      spawn.open(path.path, O_RDONLY, as: STDIN_FILENO)
      keyboard = nil
    } else if program.isTerminal {
      var ends: [Int32] = [-1, -1]
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      try Spawn.check(socketpair(AF_UNIX, type, 0, &ends) == 0 ? 0 : errno, "socketpair")
      spawn.duplicate(ends[0], as: STDIN_FILENO)
      keyboard = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
    } else {
      spawn.open("/dev/null", O_RDONLY, as: STDIN_FILENO)
      keyboard = nil
    }
    spawn.open(directory.appending(path: "output").path, O_WRONLY | O_CREAT, as: STDOUT_FILENO)
    spawn.open(directory.appending(path: "error").path, O_WRONLY | O_CREAT, as: STDERR_FILENO)
    pid = try spawn.run(program)
  }

  deinit {
    kill()
    try? FileManager.default.removeItem(at: directory)
  }

  public var isRunning: Bool {
    reap(WNOHANG)
    return ending == nil
  }

  public var output: String { String(decoding: bytes("output"), as: UTF8.self) }
  public var error: String { String(decoding: bytes("error"), as: UTF8.self) }

  public func signal(_ number: Int32) {
    if isRunning { Glibc.kill(pid, number) }
  }

  /// Types text into the terminal of a program that runs `inTerminal()`.
  public func type(_ text: String) throws {
    try keyboard?.write(contentsOf: Data(text.utf8))
  }

  /// Waits until stdout has at least `count` occurrences of a text.
  public func waitForOutput(_ text: String, count: Int = 1, within limit: Double = 120) throws {
    try waitUntil("\(description) prints '\(text)' (so far: \(output)\(error))", within: limit) {
      output.ranges(of: text).count >= count
    }
  }

  public func waitForError(_ text: String, within limit: Double = 120) throws {
    try waitUntil("\(description) says '\(text)' (so far: \(output)\(error))", within: limit) {
      error.contains(text)
    }
  }

  /// Waits until the program exits by itself, or kills it and throws after `limit` seconds.
  public func end(within limit: Double = 120) throws -> Program.Result {
    do {
      try waitUntil("\(description) ends (so far: \(output)\(error))", within: limit) { !isRunning }
    } catch {
      kill()
      throw error
    }
    return Program.Result(status: status, outputBytes: bytes("output"), error: error)
  }

  /// The exit code; 128+N when signal N killed it.
  private var status: Int32 {
    let ending = ending ?? 0
    let signal = ending & 0x7f
    return signal == 0 ? (ending >> 8) & 0xff : 128 + signal
  }

  private func kill() {
    guard isRunning else { return }
    Glibc.kill(pid, SIGKILL)
    reap(0)
  }

  private func reap(_ options: Int32) {
    guard ending == nil else { return }
    var ending: Int32 = 0
    var result: Int32
    repeat { result = waitpid(pid, &ending, options) } while result == -1 && errno == EINTR
    if result == pid { self.ending = ending }
  }

  private func bytes(_ name: String) -> [UInt8] {
    (try? Data(contentsOf: directory.appending(path: name))).map { Array($0) } ?? []
  }
}
