internal import AMQP
internal import Glibc

/// The command that works on the tasks, ready to be run any number of times.
package final class Command {
  /// What is run for a task, how it is given the task, and how long it may take.
  package struct Options: Equatable, Sendable {
    /// What is run.
    package enum Program: Equatable, Sendable {
      /// A program and its arguments, as they are.
      case arguments([[UInt8]])
      /// Each task is a command line for sh(1).
      case shell
    }

    /// How many tasks a run of it works on.
    package enum Mode: Equatable, Sendable {
      case perTask
      /// It is started once per job, and gets task after task; at most `window` are without a result, and after
      /// `maxTasks` of them it is replaced.
      case resident(TaskFormat, window: Int, maxTasks: Int?)
      /// A run is for `size` tasks at most, and waits for `wait` at most until they are there.
      case batch(TaskFormat, size: Int, wait: Duration)
    }

    package var program: Program
    package var mode = Mode.perTask
    /// Whether the body becomes the last argument.
    package var takesArgument = false
    /// Whether placeholders in the arguments are replaced by the body; see `Placeholders`.
    package var replacesPlaceholders = false
    /// What the command finds in its environment, beside what is its task's: NAME=VALUE each.
    package var environment: [[UInt8]]
    package var output = OutputMode.passthrough
    /// Where output is kept until a task ends.
    package var temporaryDirectory = "/tmp"
    /// How long a task may take; nil is for ever.
    package var timeout: Duration?
    /// How long one that was asked to end (TERM) may take for that, before it is made to (KILL).
    package var killAfter = Duration.seconds(10)

    package init(_ program: Program, environment: [[UInt8]]) {
      self.program = program
      self.environment = environment
    }
  }

  /// Why a task was not begun.
  enum Failure: Error, Equatable {
    /// The task's fault: it cannot be handed to the command.
    case invalidTask(String)
    /// The command's, or the machine's.
    case unrunnable(String, isTemporary: Bool)
  }

  /// What exec(2) allows for a single string, its NUL included.
  private static let longestString = 131_072

  let options: Options
  private let spawner: Spawner
  private let arguments: CStrings
  /// Where the program is that a name stands for; it is looked for once, and not for each run.
  private let path: [CChar]?
  private let environment: CStrings
  /// What exec(2) leaves for a task's own headers.
  private let roomForHeaders: Int
  private let name: String

  init(_ options: Options, _ spawner: Spawner = Spawner()) {
    (self.options, self.spawner) = (options, spawner)
    switch options.program {
    case .arguments(let list):
      arguments = CStrings(list)
      name = String(decoding: list.first ?? [], as: UTF8.self)
    case .shell:
      arguments = CStrings(["sh", "-c"].map { Array($0.utf8) })
      name = "sh"
    }
    path = ProgramPath.find(name)
    environment = CStrings(JobEnvironment.base(of: options.environment) + [ResultChannel.variable])
    // Our own variables and a body as an argument come on top, and the kernel wants some room, too.
    let reserve = 2 * Self.longestString
    roomForHeaders = max(0, sysconf(Int32(_SC_ARG_MAX)) - arguments.size - environment.size - reserve)
  }

  /// Starts the command on a task.
  func start(
    _ delivery: Delivery, queue: String, number: Int, attempt: Int
  ) throws(Failure) -> Child {
    let body = delivery.message.body
    let lastArgument = try lastArgument(of: body)
    let arguments = try arguments(for: body)
    let variables = JobEnvironment(delivery, queue: queue, attempt: attempt, room: roomForHeaders).bytes
    do throws(SystemError) {
      let isShell = options.program == .shell
      // Where the body is the command, what the command reads is not the body.
      let input = try Files.holding(isShell ? [] : body)
      defer { close(input) }
      return try spawn(arguments, lastArgument, variables, input: input, number: number)
    } catch {
      throw .unrunnable(reason(for: error), isTemporary: error.isTransient)
    }
  }

  /// Starts the command with a pipe for its stdin, to work on any number of tasks; `number` stands in front of its output.
  func startResident(queue: String, number: Int) throws(Failure) -> (Child, TaskPipe) {
    do throws(SystemError) {
      let (readEnd, writeEnd) = try Files.pipe(isInput: true)
      defer { close(readEnd) }
      let input = TaskPipe(writeEnd)
      let child = try spawn(
        arguments, [], JobEnvironment.variable("QUEUE", queue), input: readEnd, number: number)
      return (child, input)
    } catch {
      throw .unrunnable(reason(for: error), isTemporary: error.isTransient)
    }
  }

  /// Starts the command on several tasks; `number` stands in front of its output.
  ///
  /// One task that is alone is handed over as it is, also where the format has no place for it.
  func startBatch(
    _ jobs: [Job], _ format: TaskFormat, queue: String, number: Int
  ) throws(Failure) -> Child {
    var input: [UInt8] = []
    let bodies = jobs.map(\.delivery.message.body)
    if bodies.count == 1, format.objection(to: bodies[0]) != nil {
      input = bodies[0]
    } else {
      input.reserveCapacity(bodies.reduce(0) { $0 + $1.count + 1 })
      for job in jobs { format.append(job, queue: queue, to: &input) }
    }
    var bodyArguments: [UInt8] = []
    if options.takesArgument {
      bodyArguments = bodies.reduce(into: []) { $0 += $1 + [0] }
      // exec(2) counts a pointer for each string, too.
      guard bodies.count == 1 || bodyArguments.count + bodies.count * MemoryLayout<Int>.size <= roomForHeaders
      else {
        throw .invalidTask("the tasks make the command's arguments too long")
      }
    }
    let variables =
      JobEnvironment.variable("QUEUE", queue) + JobEnvironment.variable("BATCH", String(jobs.count))
    do throws(SystemError) {
      let file = try Files.holding(input)
      defer { close(file) }
      return try spawn(arguments, bodyArguments, variables, input: file, number: number)
    } catch {
      throw .unrunnable(reason(for: error), isTemporary: error.isTransient)
    }
  }

  /// Why a body cannot be the argument that it is to be; nil when it can.
  func objection(toArgument body: [UInt8]) -> String? {
    guard options.takesArgument else { return nil }
    do throws(Failure) {
      try check(body, isArgument: true)
      return nil
    } catch {
      guard case .invalidTask(let reason) = error else { return nil }
      return reason
    }
  }

  private func spawn(
    _ arguments: CStrings, _ lastArgument: [UInt8], _ variables: [UInt8], input: Int32, number: Int
  ) throws(SystemError) -> Child {
    let results = try ResultChannel()
    let output = try CommandOutput(options.output, number: number, in: options.temporaryDirectory)
    let pid = try spawner.start(
      at: path, arguments, lastArgument: lastArgument, environment: environment, variables: variables,
      descriptors: (input, output.writeEnds.stdout, output.writeEnds.stderr, results.writeEnd))
    output.began()
    return Child(pid: pid, output: output, results: results)
  }

  /// The body as a C string where it is to be an argument, else nothing.
  private func lastArgument(of body: [UInt8]) throws(Failure) -> [UInt8] {
    guard options.takesArgument || options.program == .shell else { return [] }
    try check(body, isArgument: options.takesArgument)
    return body + [0]
  }

  /// The arguments, with the body in its places.
  private func arguments(for body: [UInt8]) throws(Failure) -> CStrings {
    guard options.replacesPlaceholders, case .arguments(let list) = options.program else { return arguments }
    try check(body, isArgument: true)
    let replaced = Placeholders.replaced(in: list, by: body)
    let filled = CStrings(replaced)
    // All placeholders together get the room that one argument has.
    guard filled.size - arguments.size < Self.longestString,
      replaced.allSatisfy({ $0.count < Self.longestString })
    else { throw .invalidTask("the task makes the command's arguments too long") }
    return filled
  }

  private func check(_ body: [UInt8], isArgument: Bool) throws(Failure) {
    let what = isArgument ? "an argument" : "a command line"
    guard !body.contains(0) else { throw .invalidTask("the task holds a NUL byte, and \(what) cannot") }
    guard body.count < Self.longestString else {
      throw .invalidTask("the task has \(body.count) bytes, and \(what) at most \(Self.longestString - 1)")
    }
    if isArgument && String(validating: body, as: UTF8.self) == nil {
      throw .invalidTask("the task is not UTF-8, as an argument must be")
    }
  }

  private func reason(for error: SystemError) -> String {
    let hint =
      switch error.code {
      case ENOEXEC: " (a script needs a first line like #!/bin/sh)"
      case E2BIG: " (its arguments and the environment are too long)"
      default: ""
      }
    return "cannot run '\(name)': \(error.description)\(hint)"
  }
}
