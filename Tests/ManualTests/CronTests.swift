import Foundation
import TestSupport
import Testing

/// The crontabs that the manual and README.md show, with what cron has for its jobs: next to nothing.
@Suite(.waiting) struct CronTests {
  private static let hosts = Result { try VirtualHosts(Crontab.all.map(\.place)) }

  @Test(arguments: Crontab.all)
  func `its jobs do their work, and print nothing that cron would mail`(crontab: Crontab) throws {
    let home = FileManager.default.temporaryDirectory.appending(path: "workq-cron-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: home) }
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
    let url = try Self.hosts.get().url(crontab.place)
    #expect(crontab.jobs.contains { $0.contains(#/ publish .*--spool/#) })
    #expect(crontab.jobs.contains { $0.contains(#/ work .*--drain/#) })
    for job in crontab.jobs {
      let result = try crontab.program(job, home: home.path, broker: url).run()
      #expect(result.status == 0, "\(job): \(result.error)")
      #expect(result.output == "", "\(job): \(result.error)")
      #expect(result.error == "", "\(job): \(result.error)")
    }
    // The worker's command leaves its task in a file.
    let report = try String(contentsOf: home.appending(path: "report"), encoding: .utf8)
    #expect(report.hasPrefix("report"))
  }

  @Test(arguments: Crontab.all)
  func `jobs with a spool keep their tasks while the broker is away`(crontab: Crontab) throws {
    let home = FileManager.default.temporaryDirectory.appending(path: "workq-cron-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: home) }
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
    let jobs = crontab.jobs.filter { $0.contains("--spool") }
    for job in jobs {
      let result = try crontab.program(job, home: home.path, broker: "amqp://127.0.0.1:1").run()
      #expect(result.status == 0, "\(job): \(result.error)")
    }
    let state = home.appending(path: ".local/state/workq/spool").path
    let files = FileManager.default.enumerator(atPath: state)?.compactMap { $0 as? String } ?? []
    #expect(files.count { $0.hasSuffix(".tasks2") } == jobs.count, "\(files)")
  }

  @Test func `there is one in the manual, and one in README.md`() {
    #expect(Crontab.all.contains { $0.place.hasPrefix("workq-work.1:") })
    #expect(Crontab.all.contains { $0.place.hasPrefix("README.md:") })
  }
}
