import Foundation
import TestSupport
import Testing

/// Runs the crontabs of the manual and README.md in the minimal environment that cron provides.
@Suite(.waiting) struct CronTests {
  private static let hosts = Result { try VirtualHosts(Crontab.all.map(\.place)) }

  @Test(arguments: Crontab.all)
  func `crontab jobs succeed and print nothing that cron would mail`(crontab: Crontab) throws {
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
    // The worker's command writes its task to a file.
    let report = try String(contentsOf: home.appending(path: "report"), encoding: .utf8)
    #expect(report.hasPrefix("report"))
  }

  @Test(arguments: Crontab.all)
  func `crontab jobs with --spool keep their tasks while the broker is unreachable`(crontab: Crontab) throws {
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

  @Test func `workq-work(1) and README contain a crontab`() {
    #expect(Crontab.all.contains { $0.place.hasPrefix("workq-work.1:") })
    #expect(Crontab.all.contains { $0.place.hasPrefix("README.md:") })
  }
}
