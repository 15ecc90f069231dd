import AMQP
import Foundation
import TestSupport
import Testing

@testable import WorkQueue

/// Runs real programs, without a broker.
@Suite(.alone) struct RunningCommandTests {
  private func delivery(_ body: [UInt8], _ properties: Message.Properties = .init()) -> Delivery {
    Delivery(
      tag: Delivery.Tag(session: 1, number: 1), isRedelivered: false, exchange: "", routingKey: "q",
      message: Message(body: body, properties: properties))
  }

  private func options(_ arguments: String...) -> Command.Options {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    var options = Command.Options(
      .arguments(arguments.map { Array($0.utf8) }), environment: [Array("PATH=\(path)".utf8)])
    options.output = .grouped
    return options
  }

  private struct Result: Equatable {
    var status: Int32
    var output: String
    var error: String
  }

  /// Runs the command with a body until it exits.
  private func run(
    _ options: Command.Options, _ body: [UInt8] = [], _ properties: Message.Properties = .init(),
    clones: Bool = true
  ) throws -> Result {
    let command = Command(options, Spawner(clones: clones))
    let child = try command.start(delivery(body, properties), queue: "q", number: 1, attempt: 1)
    var status: Int32?
    try waitUntil("the command exits") {
      status = child.ended()
      return status != nil
    }
    var (output, error) = ([UInt8](), [UInt8]())
    var room = Int.max
    let isComplete = child.output.drain(&room) { stream, bytes in
      if stream == .stdout { output += bytes } else { error += bytes }
    }
    #expect(isComplete)
    return Result(
      status: try #require(status), output: String(decoding: output, as: UTF8.self),
      error: String(decoding: error, as: UTF8.self))
  }

  @Test func `the command reads the body byte for byte from a read-only stdin`() throws {
    let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
    let sum = try run(options("cksum"), body).output
    let expected = try Program("/usr/bin/cksum", []).run(input: body).output
    #expect(sum == expected)
    try expect(run(options("wc", "-c")).output, equals: "0\n")
    let writer = try run(options("sh", "-c", "echo x >&0"), [1])
    #expect(writer.status != 0)
  }

  @Test func `a command succeeds when it does not read a large body`() throws {
    let body = [UInt8](repeating: 65, count: 5_000_000)
    try expect(run(options("true"), body), equals: Result(status: 0, output: "", error: ""))
  }

  @Test(arguments: [true, false])
  func `the command has its own process group, default signals and four descriptors`(clones: Bool) throws {
    // The command inherits neither our ignored nor our blocked signals.
    let script = """
      grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l; ps -o pid=,pgid= -p $$ | xargs
      """
    var blocked = sigset_t()
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGUSR1)
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
    signal(SIGUSR2, SIG_IGN)
    let leak = open("/dev/null", O_RDONLY)
    defer {
      pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
      signal(SIGUSR2, SIG_DFL)
      close(leak)
    }
    let lines = try run(options("sh", "-c", script), clones: clones).output.split(separator: "\n").map(
      String.init)
    try #require(lines.count == 4)
    #expect(lines[0].hasSuffix("0000000000000000"))
    // The remaining two are glibc's internal signals, which no program can use.
    #expect(lines[1].hasSuffix("0000000000000000") || lines[1].hasSuffix("0000000180000000"))
    #expect(Int(lines[2].trimmingCharacters(in: .whitespaces)) == 5, "and the directory that ls reads")
    let numbers = lines[3].split(separator: " ")
    #expect(numbers.count == 2)
    #expect(numbers[0] == numbers[1])
  }

  @Test func `the command receives its arguments unchanged`() throws {
    let arguments = ["printf", "<%s>", "", "a  b", "$HOME", "*", "'\"\\", "-n"]
    var options = options("printf")
    options.program = .arguments(arguments.map { Array($0.utf8) } + [[0xff, 0xfe]])
    let child = try Command(options).start(delivery([]), queue: "q", number: 1, attempt: 1)
    var output: [UInt8] = []
    try waitUntil("printf exits") { child.ended() != nil }
    var room = Int.max
    #expect(child.output.drain(&room) { _, bytes in output += bytes })
    #expect(output == Array("<><a  b><$HOME><*><'\"\\><-n><".utf8) + [0xff, 0xfe] + Array(">\n".utf8))
  }

  @Test func `the command's environment contains the worker's and the task's variables`() throws {
    var properties = Message.Properties()
    properties.messageID = "id 1"
    properties.headers = ["x-big": .text(String(repeating: "x", count: 120_000)), "n": .int32(5)]
    let lines = try run(options("env"), [], properties).output.split(separator: "\n").map(String.init)
    #expect(lines.contains("WORKQ_MESSAGE_ID=id 1"))
    #expect(lines.contains("WORKQ_HEADER_N=5"))
    #expect(lines.contains("WORKQ_QUEUE=q"))
    #expect(lines.contains("WORKQ_ATTEMPT=1"))
    #expect(lines.contains("WORKQ_RESULT_FD=3"))
    #expect(!lines.contains { $0.hasPrefix("WORKQ_HEADER_X_BIG") })
    #expect(lines.contains { $0.hasPrefix("PATH=") })
  }

  @Test func `the command starts when a task has many large headers`() throws {
    var properties = Message.Properties()
    properties.headers = FieldTable(
      entries: (0..<2000).map { .init(name: "h\($0)", value: .text(String(repeating: "v", count: 16_000))) })
    try expect(run(options("true"), [], properties).status, equals: 0)
  }

  @Test func `passes the body as the last argument, and refuses a body that cannot be one`() throws {
    var options = options("printf", "<%s>")
    options.takesArgument = true
    try expect(run(options, Array("a b\nc".utf8)).output, equals: "<a b\nc>\n")
    try expect(run(options, []).output, equals: "<>\n")
    for body in [[0x61, 0], [0xff], [UInt8](repeating: 65, count: 131_072)] {
      #expect(throws: Command.Failure.self) { try run(options, body) }
    }
    try expect(run(options, [UInt8](repeating: 65, count: 131_071)).output.utf8.count, equals: 131_074)
  }

  @Test func `runs the body as a shell command line`() throws {
    var options = options()
    options.program = .shell
    let result = try run(options, Array("echo $WORKQ_QUEUE; cat; exit 3".utf8))
    #expect(result == Result(status: 3 << 8, output: "q\n", error: ""))
    #expect(throws: Command.Failure.self) { try run(options, [0x61, 0]) }
  }

  @Test func `reports why a command cannot be run`() throws {
    func failure(_ name: String) -> Command.Failure? {
      do {
        _ = try run(options(name))
        return nil
      } catch {
        return error as? Command.Failure
      }
    }
    let file = try TemporaryFile(executable: "no program")
    #expect(
      failure("no-such-command")
        == .unrunnable("cannot run 'no-such-command': No such file or directory", isTemporary: false))
    #expect(failure("") == .unrunnable("cannot run '': No such file or directory", isTemporary: false))
    #expect(failure("/etc") == .unrunnable("cannot run '/etc': Permission denied", isTemporary: false))
    #expect(
      failure(file.path)
        == .unrunnable(
          "cannot run '\(file.path)': Exec format error (a script needs a first line like #!/bin/sh)",
          isTemporary: false))
    let busy = open(file.path, O_WRONLY | O_CLOEXEC)
    try #require(busy >= 0)
    defer { close(busy) }
    #expect(
      failure(file.path) == .unrunnable("cannot run '\(file.path)': Text file busy", isTemporary: true))
  }

  @Test func `stops a command's background processes when the command exits`() throws {
    let result = try run(options("sh", "-c", "sleep 600 & echo $!"))
    let pid = try #require(pid_t(result.output.trimmingCharacters(in: .whitespacesAndNewlines)))
    try waitUntil("the background process has exited") { !isAlive(pid) }
  }

  @Test func `stops a command and its process group when its owner is released`() throws {
    var child: Child? = try Command(options("sh", "-c", "sleep 600 & wait")).start(
      delivery([]), queue: "q", number: 1, attempt: 1)
    let pid = try #require(child?.pid)
    #expect(child?.ended() == nil)
    child = nil
    try waitUntil("the process group has exited") { kill(-pid, 0) == -1 && errno == ESRCH }
  }

  @Test(arguments: [(OutputMode.grouped, "out\n"), (.captured, "out")])
  func `adds a missing final newline only to grouped output`(mode: OutputMode, output: String) throws {
    var options = options("printf", "out")
    options.output = mode
    try expect(run(options), equals: Result(status: 0, output: output, error: ""))
  }

  @Test func `passes tagged output on line by line until the command exits`() throws {
    var options = options("sh", "-c", "echo out; echo err >&2; printf rest")
    options.output = .tagged
    let child = try Command(options).start(delivery([]), queue: "q", number: 9, attempt: 1)
    var (output, error) = ([UInt8](), [UInt8]())
    let sink: CommandOutput.Sink = { stream, bytes in
      if stream == .stdout { output += bytes } else { error += bytes }
    }
    #expect(child.output.descriptors.count == 2)
    try waitUntil("the complete lines are passed on") {
      child.output.readLines(sink)
      return output.count >= 8 && error.count >= 8
    }
    try waitUntil("the command exits") { child.ended() != nil }
    try drain(child.output, sink)
    #expect(child.output.tail == Array("err\n".utf8))
    #expect(String(decoding: output, as: UTF8.self) == "[9] out\n[9] rest\n")
    #expect(String(decoding: error, as: UTF8.self) == "[9] err\n")
  }

  @Test(arguments: [OutputMode.grouped, .captured])
  func `passes a command's output of 1 MB on in bounded parts`(mode: OutputMode) throws {
    var options = options("sh", "-c", "yes 1234567 | head -c 1000000")
    options.output = mode
    let child = try Command(options).start(delivery([]), queue: "q", number: 1, attempt: 1)
    try waitUntil("the command exits") { child.ended() != nil }
    var (total, largest, turns) = (0, 0, 0)
    try waitUntil("all output is passed on") {
      var (room, bytes) = (100_000, 0)
      defer {
        turns += 1
        total += bytes
        largest = max(largest, bytes)
      }
      return child.output.drain(&room) { _, some in bytes += some.count }
    }
    #expect(total == 1_000_000)
    #expect(turns > 5)
    #expect(largest < 200_000)
  }

  @Test(arguments: [OutputMode.grouped, .tagged, .passthrough])
  func `keeps the last 1024 bytes of stderr`(mode: OutputMode) throws {
    var options = options("sh", "-c", "seq 1 2000 >&2")
    options.output = mode
    let child = try Command(options).start(delivery([]), queue: "q", number: 1, attempt: 1)
    try waitUntil("the command exits") { child.ended() != nil }
    try drain(child.output) { _, _ in }
    let tail = child.output.tail
    #expect(tail.count == 1024)
    #expect(tail.suffix(10) == Array("1999\n2000\n".utf8)[...])
  }

  @Test func `passes stdout on together with stderr only when both are the same file`() throws {
    let (one, other) = (try TemporaryFile(""), try TemporaryFile(""))
    let files = [one, other].map { open($0.path, O_WRONLY | O_CLOEXEC) }
    let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
    defer { for file in files + [null] { close(file) } }
    #expect(OutputRelay(stdout: files[0], stderr: files[0]).hasBoth)
    #expect(!OutputRelay(stdout: files[0], stderr: files[1]).hasBoth)
    #expect(!OutputRelay(stdout: null, stderr: null).hasBoth, "where nothing is kept there is no order")
  }

  private func drain(_ output: CommandOutput, _ sink: CommandOutput.Sink) throws {
    try waitUntil("all output is passed on") {
      var room = CommandOutput.largestTurn
      return output.drain(&room, sink)
    }
  }

  private func isAlive(_ pid: pid_t) -> Bool {
    let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    return status.map { !$0.contains("State:\tZ") } ?? false
  }
}
