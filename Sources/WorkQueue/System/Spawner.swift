internal import CSystem
internal import Glibc

/// An error of the operating system.
package struct SystemError: Error, Equatable, Sendable {
  let code: Int32

  /// The system's message.
  package var description: String { unsafe String(cString: strerror(code)) }

  /// Whether it is temporary: memory, processes or descriptors are short, or the program's file is being written.
  var isTransient: Bool { [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY].contains(code) }
}

/// Starts programs in a clean state, as a shell does, without anything of ours.
///
/// 1. A process group of its own, so that a terminal's Ctrl-C reaches only us, and we can kill the whole group.
/// 2. Every signal at its default and none blocked, regardless of what we inherited.
/// 3. No descriptor but stdin, stdout, stderr and the one for results.
///
/// The child shares our memory until it executes the program (vfork): the cost does not grow with our memory, and a
/// failure to execute is known at once. We use clone3(2) directly, or posix_spawn(3) if the kernel does not support
/// this or the program must be searched for.
@safe
final class Spawner {
  private var attributes = posix_spawnattr_t()
  /// Whether children are started without posix_spawn(3).
  private var clones: Bool
  /// The signals that are ignored, once the first program is started.
  private var ignored: UInt64?

  init(clones: Bool = true) {
    self.clones = clones
    unsafe posix_spawnattr_init(&attributes)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    // All signals, although exec(2) resets caught ones: for each signal that is not named here glibc makes two system
    // calls instead of one.
    var (none, all) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
  }

  deinit {
    unsafe posix_spawnattr_destroy(&attributes)
  }

  /// Starts the program that the first of `arguments` names, looked for in PATH.
  ///
  /// - Parameters:
  ///   - path: the program's path, if known; it is searched again if it does not exist there.
  ///   - arguments: its arguments; the first is its own name.
  ///   - lastArgument: more arguments, each ended by a NUL, or nothing.
  ///   - environment: the variables that all runs share.
  ///   - variables: the variables of this run, each ended by a NUL.
  ///   - descriptors: its stdin, stdout, stderr and `ResultChannel.descriptor`.
  /// - Returns: its pid, which is also its process group's id.
  /// - Throws: why it cannot be started or executed.
  func start(
    at path: [CChar]? = nil, _ arguments: CStrings, lastArgument: [UInt8] = [], environment: CStrings,
    variables: [UInt8],
    descriptors: (Int32, Int32, Int32, Int32)
  ) throws(SystemError) -> pid_t {
    var pid: pid_t = 0
    let code = unsafe arguments.withArray(and: lastArgument) { arguments in
      unsafe environment.withArray(and: variables) { environment -> Int32 in
        var code = ENOENT
        if clones, let path { code = unsafe clone(&pid, path, arguments, environment, descriptors) }
        guard code == ENOENT else { return code }
        return unsafe spawn(&pid, path, arguments, environment, descriptors)
      }
    }
    guard code == 0 else { throw SystemError(code: code) }
    return pid
  }

  private typealias Strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  /// - Returns: the error; ENOENT also if the kernel does not support this.
  private func clone(
    _ pid: inout pid_t, _ path: [CChar], _ arguments: Strings, _ environment: Strings,
    _ descriptors: (Int32, Int32, Int32, Int32)
  ) -> Int32 {
    let ignored = self.ignored ?? csystem_ignored_signals()
    self.ignored = ignored
    return unsafe path.withUnsafeBufferPointer { path in
      var program = unsafe csystem_program(
        path: path.baseAddress, arguments: arguments, environment: environment, descriptors: descriptors,
        ignored: ignored, error: 0)
      pid = unsafe csystem_start(&program)
      if pid < 0 { clones = false }
      return pid < 0 ? ENOENT : unsafe program.error
    }
  }

  /// - Returns: the error.
  private func spawn(
    _ pid: inout pid_t, _ path: [CChar]?, _ arguments: Strings, _ environment: Strings,
    _ descriptors: (Int32, Int32, Int32, Int32)
  ) -> Int32 {
    guard let name = unsafe arguments.pointee else { return ENOENT }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, descriptors.0, STDIN_FILENO)
    unsafe posix_spawn_file_actions_adddup2(&actions, descriptors.1, STDOUT_FILENO)
    unsafe posix_spawn_file_actions_adddup2(&actions, descriptors.2, STDERR_FILENO)
    // This one last: its number may be used by one of the others.
    unsafe posix_spawn_file_actions_adddup2(&actions, descriptors.3, ResultChannel.descriptor)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, ResultChannel.descriptor + 1)
    if let path {
      let code = unsafe posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
      if code != ENOENT { return code }
    }
    return unsafe posix_spawnp(&pid, name, &actions, &attributes, arguments, environment)
  }
}
