import Foundation
import TestSupport
import Testing

@testable import WorkQueue
@testable import workq

/// Compares the man pages with the names in the sources.
@Suite(.units) struct SourceTests {
  private static func sources(_ room: String) throws -> [String: String] {
    let directory = "\(TestEnvironment.repository)/Sources/\(room)"
    let files = try #require(FileManager.default.enumerator(atPath: directory)).compactMap { $0 as? String }
    return try files.filter { $0.hasSuffix(".swift") }.reduce(into: [:]) { texts, file in
      let name = URL(filePath: file).lastPathComponent
      texts[name] = try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8)
    }
  }

  @Test func `workq(1) explains exactly the environment variables that the program reads`() throws {
    // OpenSSL reads these variables.
    var names: Set<String> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
    for text in try Self.sources("workq").values {
      for use in text.matches(of: #/Environment(?:\[|\.path\()"([A-Z_]+)"/#) { names.insert(String(use.1)) }
      guard let list = text.firstMatch(of: #/ variables = \[([^\]]*)\]/#) else { continue }
      for name in list.1.matches(of: /[A-Z_]+/) { names.insert(String(name.0)) }
    }
    #expect(names.contains("WORKQ_URL"))
    try expect(ManualPage("workq.1").variables(in: "ENVIRONMENT"), equals: names)
  }

  @Test func `workq-work(1) explains exactly the environment variables that a command receives`() throws {
    let names = Set(JobEnvironment.names + JobEnvironment.processNames + ["WORKQ_HEADER_NAME"])
    try expect(ManualPage("workq-work.1").variables(in: "THE COMMAND'S ENVIRONMENT"), equals: names)
  }

  @Test func `workq-work(1) explains exactly the headers that workq adds to failed tasks`() throws {
    let text = try #require(try Self.sources("WorkQueue")["TaskHeaders.swift"])
    let names = text.matches(of: #/"(x-workq-[a-z-]+)"/#).map { String($0.1) }
    let page = try ManualPage("workq-work.1")
    let items = page.section("HEADERS OF FAILED TASKS").filter { $0.hasPrefix(".It ") }
    #expect(Set(page.words(after: "Sy", in: items).joined()) == Set(names))
  }

  @Test func `the files that the READMEs of the project and of Sources name exist`() throws {
    for (document, start) in [("README.md", ""), ("Sources/README.md", "Sources/")] {
      let path = "\(TestEnvironment.repository)/\(document)"
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let files = text.matches(of: #/`([\w+]+(?:\/[\w+]+)*\/[\w+.]+)`/#).map { String($0.1) }
      #expect(files.count > 3)
      for file in files {
        let exists = FileManager.default.fileExists(atPath: "\(TestEnvironment.repository)/\(start)\(file)")
        #expect(exists, "\(document): \(file)")
      }
    }
  }

  @Test func `workq(1) lists exactly the keys that --json writes, in sorted order`() throws {
    let page = try ManualPage("workq.1")
    let items = page.section("JSON OUTPUT").filter { $0.hasPrefix(".It ") }
    let keys = JSONKey.allCases.map(\.rawValue).sorted()
    #expect(Array(page.words(after: "Ql", "So", in: items).joined()) == keys)
  }

  @Test func `every key of --json is in the man page of a subcommand`() throws {
    let pages = ManualPage.all.filter { $0.name.hasPrefix("workq-") }
    let documented = Set(pages.flatMap(\.jsonNames))
    #expect(Set(JSONKey.allCases.map(\.rawValue)).subtracting(documented) == [])
  }
}
