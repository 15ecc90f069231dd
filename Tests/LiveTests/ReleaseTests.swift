import Foundation
import TestSupport
import Testing

/// The release binary and the files that are installed with it.
@Suite(.busy) struct ReleaseTests {
  /// Foundation would add 40 MB of ICU data and double the start-up time.
  @Test func `the release binary links neither Foundation nor ICU, and by default no library at all`() throws
  {
    let dynamic = try Program("/usr/bin/readelf", ["--dynamic", "--wide", TestEnvironment.binary]).run()
    try #require(dynamic.status == 0)
    let libraries = dynamic.outputLines.filter { $0.contains("(NEEDED)") }
    if ProcessInfo.processInfo.environment["LINK"] == "dynamic" {
      #expect(!libraries.contains { $0.contains("Foundation") || $0.contains("swift") })
    } else {
      #expect(libraries == [], "not static")
    }
    let hasICU = try Program("/bin/grep", ["--quiet", "icudt", TestEnvironment.binary]).run()
    #expect(hasICU.status == 1, "ICU's data is in it")
  }

  /// The size is 14.5 MB; the concurrency runtime would add 0.7 MB, and FoundationEssentials 5 MB.
  @Test(.disabled(if: ProcessInfo.processInfo.environment["LINK"] == "dynamic"))
  func `the static binary is smaller than 14,800,000 bytes`() throws {
    let attributes = try FileManager.default.attributesOfItem(atPath: TestEnvironment.binary)
    #expect(try #require(attributes[.size] as? Int) < 14_800_000)
  }

  @Test(arguments: ["bash": "workq.bash", "zsh": "_workq", "fish": "workq.fish"])
  func `the committed completions match the binary, and the shell can parse them`(shell: String, file: String)
    throws
  {
    let path = "\(TestEnvironment.repository)/completions/\(file)"
    let generated = try Program.workq("--generate-completion-script", shell).run()
    #expect(generated.status == 0)
    let committed = try String(contentsOfFile: path, encoding: .utf8)
    let isCommitted = generated.output == committed
    #expect(isCommitted, "these have changed: make completions")
    let read = try Program("/usr/bin/\(shell)", ["-n", path]).run()
    #expect(read.status == 0, "\(read.error)")
    #expect(read.error == "", "\(read.error)")
  }

  @Test func `make install puts all files below DESTDIR and PREFIX, and uninstall removes them`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "workq-install-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func make(_ target: String) throws {
      let arguments = ["-C", TestEnvironment.repository, target, "DESTDIR=\(root.path)", "PREFIX=/opt/w q"]
      let result = try Program("/usr/bin/make", arguments).run()
      try #require(result.status == 0, "\(result.output)\(result.error)")
    }
    func files() -> [String] {
      let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
      return all.filter { !$0.hasSuffix("/") && !isDirectory("\(root.path)/\($0)") }
    }
    try make("install")
    let installed = files()
    for file in [
      "bin/workq", "share/bash-completion/completions/workq", "share/zsh/site-functions/_workq",
      "share/fish/vendor_completions.d/workq.fish", "share/man/man1/workq.1",
      "share/man/man7/workq-tutorial.7", "lib/systemd/system/workq@.service",
    ] {
      #expect(installed.contains("opt/w q/\(file)"), "\(installed)")
    }
    let unit = "\(root.path)/opt/w q/lib/systemd/system/workq@.service"
    #expect(
      try String(contentsOfFile: unit, encoding: .utf8).contains("\nExecStart=/opt/w q/bin/workq work "))
    let version = try Program("\(root.path)/opt/w q/bin/workq", ["--version"]).run()
    #expect(version.status == 0)
    try make("uninstall")
    #expect(files() == [])
  }

  @Test func `the archive contains the installed files and is reproducible`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "workq-archive-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let script = "\(TestEnvironment.repository)/packaging/build-archive"
    var archives: [Data] = []
    for directory in ["one", "two"] {
      let packed = try Program(script, ["7.8.9", root.appending(path: directory).path]).run()
      try #require(packed.status == 0, "\(packed.error)")
      archives.append(try Data(contentsOf: URL(filePath: packed.outputLines[0])))
    }
    #expect(archives[0] == archives[1])
    let arguments = ["-xzC", root.path, "--strip-components=1"]
    let unpacked = try Program("/usr/bin/tar", arguments).run(input: Array(archives[0]))
    try #require(unpacked.status == 0, "\(unpacked.error)")
    for file in [
      "share/man/man1/workq-work.1", "share/zsh/site-functions/_workq", "share/doc/workq/README.md",
      "share/doc/workq/LICENSE", "lib/systemd/system/workq@.service",
    ] {
      #expect(FileManager.default.fileExists(atPath: "\(root.path)/\(file)"), "\(file)")
    }
    try expect(Program("\(root.path)/bin/workq", ["--version"]).run().status, equals: 0)
  }

  private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}
