import Foundation
import TestSupport
import Testing

/// The binary that users run, and what is installed beside it.
@Suite(.ownThreads) struct ReleaseTests {
  /// Foundation would bring 40 MB of ICU, and double the time that a start takes.
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

  @Test(arguments: ["bash": "workq.bash", "zsh": "_workq", "fish": "workq.fish"])
  func `the completions are those of the binary, and the shell can read them`(shell: String, file: String)
    throws
  {
    let path = "\(TestEnvironment.repository)/completions/\(file)"
    let generated = try Program.workq("--generate-completion-script", shell).run()
    #expect(generated.status == 0)
    let committed = try String(contentsOfFile: path, encoding: .utf8)
    let isCommitted = generated.output == committed
    #expect(isCommitted, "these have changed: make completions")
    let read = try Program("/usr/bin/\(shell)", ["-n", path]).run()
    #expect(read.status == 0 && read.error == "", "\(read.error)")
  }

  @Test func `bash completes subcommands and options`() throws {
    let script = """
      source "$0"
      complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        COMPREPLY=(); _workq workq "${@: -1}"; printf '%s ' "${COMPREPLY[@]}"; }
      complete_words workq pu
      complete_words workq work --pre
      """
    let path = "\(TestEnvironment.repository)/completions/workq.bash"
    let bash = try Program("/bin/bash", ["-c", script, path]).run()
    #expect(bash.error == "")
    for word in ["publish", "purge", "--prefetch"] {
      #expect(bash.output.split(separator: " ").contains(Substring(word)), "\(bash.output)")
    }
  }

  @Test func `make install puts everything below DESTDIR and PREFIX, and uninstall removes it`() throws {
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
      "share/man/man7/workq-tutorial.7",
    ] {
      #expect(installed.contains("opt/w q/\(file)"), "\(installed)")
    }
    let version = try Program("\(root.path)/opt/w q/bin/workq", ["--version"]).run()
    #expect(version.status == 0)
    try make("uninstall")
    #expect(files() == [])
  }

  private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}
