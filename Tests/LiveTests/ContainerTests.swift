import Foundation
import TestSupport
import Testing

/// The image of the Containerfile: the tests assemble its root file system and run its program in it.
@Suite(.waiting) struct ContainerTests {
  private static var canRun: Bool {
    let mayUnshare = try? Program(
      "/usr/bin/unshare", ["--mount", "--pid", "--fork", "/usr/sbin/chroot", "/", "/bin/true"]
    ).run()
    return mayUnshare?.status == 0 && ProcessInfo.processInfo.environment["LINK"] != "dynamic"
  }

  /// The last stage of the Containerfile.
  private struct Image {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "workq-image-\(UUID().uuidString)")
    private(set) var user = "0:0"
    private(set) var entryPoint: [String] = []

    /// Copies what the Containerfile copies; files of the build stage's system come from this system.
    init() throws {
      let text = try String(contentsOfFile: "\(TestEnvironment.repository)/Containerfile", encoding: .utf8)
      let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      try FileManager.default.createDirectory(
        at: root.appending(path: "proc"), withIntermediateDirectories: true)
      let stage = try #require(lines.lastIndex { $0.first == "FROM" })
      #expect(lines[stage] == ["FROM", "scratch"])
      for line in lines[(stage + 1)...] {
        switch line[0] {
        case "COPY" where line[1] == "--from=build": try copy(Self.path(inBuildStage: line[2]), to: line[3])
        case "COPY": try copy("\(TestEnvironment.repository)/\(line[1])/.", to: line[2])
        case "USER": user = line[1]
        case "ENTRYPOINT":
          let list = Data(line.dropFirst().joined(separator: " ").utf8)
          entryPoint = try #require(try JSONSerialization.jsonObject(with: list) as? [String])
        default: #expect(line[0].hasPrefix("#"), "\(line)")
        }
      }
    }

    private static func path(inBuildStage path: String) -> String {
      guard path.hasPrefix("/source/") else { return path }
      let isProgram = path == "/source/.build/release/workq"
      return isProgram ? TestEnvironment.binary : "\(TestEnvironment.repository)/\(path.dropFirst(8))"
    }

    private func copy(_ source: String, to path: String) throws {
      let target = "\(root.path)\(path)"
      let directory = path.hasSuffix("/") ? target : (target as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try expect(
        Program("/bin/cp", ["--recursive", "--dereference", source, target]).run().status, equals: 0)
    }

    func remove() { try? FileManager.default.removeItem(at: root) }

    /// The entry point with arguments, run as the image's user with /proc mounted, as container engines do.
    ///
    /// With `isFirst` it is PID 1 of a namespace.
    func program(_ arguments: [String], isFirst: Bool = false) -> Program {
      let chroot = ["/usr/sbin/chroot", "--userspec=\(user)", root.path] + entryPoint + arguments
      let unshare =
        isFirst
        ? ["--pid", "--fork", "--kill-child", "--mount-proc=\(root.path)/proc"]
        : ["--mount", "/bin/sh", "-euc", "mount -t proc proc \"$0/proc\" && exec \"$@\"", root.path]
      var program = Program("/usr/bin/unshare", unshare + chroot)
      program.environment = ["PATH": "/usr/sbin:/usr/bin:/bin", "WORKQ_URL": Broker.shared.url]
      return program
    }
  }

  @Test(.enabled(if: canRun, "namespaces are not permitted here, or the program is not static"))
  func `publish and work run in the container image without other files`() throws {
    let image = try Image()
    defer { image.remove() }
    let queue = freshQueue()
    try expect(image.program(["publish", "-q", queue, "task"]).run().status, equals: 0)
    let work = try image.program(
      ["work", "-q", queue, "--drain", "--pass-url", "--", "/usr/bin/workq", "publish", "-q", "\(queue).2"]
    ).run()
    #expect(work.status == 0, "\(work.error)")
    try expectWaiting(in: "\(queue).2", equals: 1)
  }

  @Test(.enabled(if: canRun, "namespaces are not permitted here, or the program is not static"))
  func `resolves host names and loads CA certificates in the container image`() throws {
    let image = try Image()
    defer { image.remove() }
    try Data("127.0.0.1 broker.example\n".utf8).write(to: image.root.appending(path: "etc/hosts"))
    let named = try image.program(["status", "--url", "amqp://broker.example:1"]).run()
    #expect(named.status == 69)
    #expect(named.error.contains("onnection refused"), "\(named.error)")
    let secure = try image.program(["status", "--url", "amqps://broker.example:1"]).run()
    #expect(secure.status == 69)
    #expect(secure.error.contains("onnection refused"), "\(secure.error)")
  }

  @Test(.enabled(if: canRun, "namespaces are not permitted here, or the program is not static"))
  func `finishes its task and exits with 0 when it receives SIGTERM as PID 1`() throws {
    let image = try Image()
    defer { image.remove() }
    let queue = freshQueue()
    try publish(["task .."], to: queue)
    let container = try image.program(["work", "-q", queue, "--fake"], isFirst: true).start()
    try container.waitForOutput("Received 'task ..'")
    try signal(container, SIGTERM)
    let result = try container.end()
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains("[x] Done"))
    try expectWaiting(in: queue, equals: 0)
  }

  @Test(.enabled(if: canRun, "namespaces are not permitted here, or the program is not static"))
  func `requeues its task and exits with 128+N when it receives a second signal as PID 1`() throws {
    let image = try Image()
    defer { image.remove() }
    let queue = freshQueue()
    try publish([String(repeating: ".", count: 60)], to: queue)
    let container = try image.program(["work", "-q", queue, "--fake"], isFirst: true).start()
    try container.waitForOutput("Received")
    try signal(container, SIGTERM)
    try container.waitForError("press Ctrl-C again to stop now")
    try signal(container, SIGTERM)
    try expect(container.end().status, equals: 128 + SIGTERM)
    try expectWaiting(in: queue, equals: 1)
  }

  /// Signals PID 1 of the namespace, as a container engine does.
  private func signal(_ container: RunningProgram, _ number: Int32) throws {
    let path = "/proc/\(container.pid)/task/\(container.pid)/children"
    let child = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ").first.flatMap {
      Int32($0)
    }
    kill(try #require(child), number)
  }
}
