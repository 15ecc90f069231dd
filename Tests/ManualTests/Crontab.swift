import Foundation
import TestSupport
import Testing

/// A crontab in the manual or README.md, marked with `.\" cron` or `<!-- cron -->`.
struct Crontab: CustomTestStringConvertible, Sendable {
  let place: String
  /// The environment variables that the crontab sets.
  private(set) var settings: [String: String] = [:]
  private(set) var jobs: [String] = []

  var testDescription: String { place }

  static let all = Example.shown(marked: "cron").map(Crontab.init)

  private init(_ block: Example.Block) {
    place = block.place
    for line in block.lines where !line.hasPrefix("#") {
      if let match = line.wholeMatch(of: #/(\w+)=(.*)/#) {
        settings[String(match.1)] = String(match.2)
      } else if let match = line.wholeMatch(of: #/(?:[\d*/]+ +){5}(.*)/#) {
        jobs.append(String(match.1).replacing(#"\%"#, with: "%"))
      }
    }
  }

  /// The job as cron(8) starts it, with the program and the broker under test.
  func program(_ job: String, home: String, broker url: String) -> Program {
    let directory = URL(filePath: TestEnvironment.binary).deletingLastPathComponent().path
    var program = Program("/bin/sh", ["-c", "cd && \(job)"])
    program.environment = ["HOME": home, "LOGNAME": "somebody", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"]
    program.environment.merge(settings) { $1 }
    program.environment["PATH"] = program.environment["PATH"]?.replacing("/usr/local/bin", with: directory)
    program.environment["WORKQ_URL"] = settings["WORKQ_URL"] == nil ? nil : url
    return program
  }
}
