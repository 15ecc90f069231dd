internal import AMQP
internal import Glibc

/// The command for the tasks, ready to be run any number of times.
package final class Command {
  /// What to run for a task, how it gets the task, and how long it may take.
  package struct Options: Equatable, Sendable {
    /// What is run.
    package enum Program: Equatable, Sendable {
      /// A program and its arguments, unchanged.
      case arguments([[UInt8]])
      /// Each task is a command line for sh(1).
      case shell
    }

    /// How many tasks one run gets.
    package enum Mode: Equatable, Sendable {
      case perTask
      /// Started once per job, and given task after task: at most `window` without a result, and `maxTasks` in all
      /// before it is replaced.
      case resident(TaskFormat, window: Int, maxTasks: Int?)
      /// Up to `size` tasks per run, which waits at most `wait` for them.
      case batch(TaskFormat, size: Int, wait: Duration)
    }

    package var program: Program
    package var mode = Mode.perTask
    /// Whether the body becomes the last argument.
    package var takesArgument = false
    /// Whether placeholders in the arguments are replaced by the body; see `Placeholders`.
    package var replacesPlaceholders = false
    /// The command's environment except the task's variables, as NAME=VALUE.
    package var environment: [[UInt8]]
    package var output = OutputMode.passthrough
    /// The directory for output that is kept until a task ends.
    package var temporaryDirectory = "/tmp"
    /// How long a task may take; nil means no limit.
    package var timeout: Duration?
    /// The time from TERM to KILL.
    package var killAfter = Duration.seconds(10)

    package init(_ program: Program, environment: [[UInt8]]) {
      self.program = program
      self.environment = environment
    }
  }

  /// Why a task was not started.
  enum Failure: Error, Equatable {
    /// An error of the task: the command cannot get it.
    case invalidTask(String)
    /// An error of the command or the machine.
    case unrunnable(String, isTemporary: Bool)
  }

  /// exec(2)'s limit for one string, in bytes, including its NUL.
  private static let longestString = 131_072

  let options: Options
  private let spawner: Spawner
  private let arguments: CStrings
  /// The program's path, searched once instead of for each run.
  private let path: [CChar]?
  private let environment: CStrings
  /// What exec(2)'s limit leaves for a task's headers, in bytes.
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
    // Our own variables and a body as an argument are added, and the kernel needs some space, too.
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
      // If the body is the command, stdin is empty.
      let input = try Files.holding(isShell ? [] : body)
      defer { close(input) }
      return try spawn(arguments, lastArgument, variables, input: input, number: number)
    } catch {
      throw .unrunnable(reason(for: error), isTemporary: error.isTransient)
    }
  }

  /// Starts the command with a pipe for its stdin, for any number of tasks; `number` prefixes its output.
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

  /// Starts the command on several tasks; `number` prefixes its output.
  ///
  /// A single task is passed unchanged, even if the format cannot represent it.
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

  /// Why a body cannot be an argument; nil when it can.
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
    return Child(pid: pid, output: output, results: results)
  }

  /// The body as a C string if it is to be an argument, else nothing.
  private func lastArgument(of body: [UInt8]) throws(Failure) -> [UInt8] {
    guard options.takesArgument || options.program == .shell else { return [] }
    try check(body, isArgument: options.takesArgument)
    return body + [0]
  }

  /// The arguments with their placeholders replaced by the body.
  private func arguments(for body: [UInt8]) throws(Failure) -> CStrings {
    guard options.replacesPlaceholders, case .arguments(let list) = options.program else { return arguments }
    try check(body, isArgument: true)
    let replaced = Placeholders.replaced(in: list, by: body)
    let filled = CStrings(replaced)
    // All replacements together are limited to the size of one argument.
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
