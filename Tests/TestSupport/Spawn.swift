import CSystem
import Foundation

/// The arguments of posix_spawn(3): the child's descriptors, and attributes by which the child starts with no
/// signal blocked or ignored, and no descriptor of another test, regardless of this process's threads.
struct Spawn: ~Copyable {
  struct Failed: Error {
    let call: String
    let reason: String
  }

  private var actions = posix_spawn_file_actions_t()
  private var attributes = posix_spawnattr_t()
  private var ours: [Int32] = []
  private var lastDescriptor = STDERR_FILENO

  init() {
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  }

  deinit {
    for descriptor in ours { close(descriptor) }
    var (actions, attributes) = (actions, attributes)
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
  }

  mutating func open(_ path: String, _ flags: Int32, as descriptor: Int32) {
    posix_spawn_file_actions_addopen(&actions, descriptor, path, flags, 0o600)
    lastDescriptor = max(lastDescriptor, descriptor)
  }

  /// Passes one of this process's descriptors to the child; `deinit` closes it in this process.
  mutating func duplicate(_ source: Int32, as descriptor: Int32) {
    posix_spawn_file_actions_adddup2(&actions, source, descriptor)
    ours.append(source)
    lastDescriptor = max(lastDescriptor, descriptor)
  }

  mutating func run(_ program: Program) throws -> Int32 {
    let arguments = ([program.path] + program.arguments).map { strdup($0) }
    let variables = program.environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for text in arguments + variables { free(text) } }
    posix_spawn_file_actions_addclosefrom_np(&actions, lastDescriptor + 1)
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program.path, &actions, &attributes, arguments + [nil], variables + [nil])
    try Self.check(code, "posix_spawn \(program.path)")
    return pid
  }

  static func check(_ code: Int32, _ call: String) throws {
    guard code == 0 else { throw Failed(call: call, reason: String(cString: strerror(code))) }
  }
}
