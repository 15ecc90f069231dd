/// The help of the program and its subcommands, from the tables of options.
enum Help {
  static let programSummary = "Work queues on RabbitMQ, from the shell"
  private static let programExamples = """
    $ workq work                    take tasks and fake the work: a second per dot
    $ workq publish First message.  send a task, from another terminal
    """
  private static let programDescription = """
    The broker confirms each published task, stores it on disk, and redelivers it to another worker if its worker \
    dies. --url or WORKQ_URL names the broker; the default is the one on this machine. --queue or WORKQ_QUEUE names \
    the queue; the default is task_queue.
    """

  /// The output of `-h` or `--help`, without a newline at the end.
  static func text(_ subcommand: Subcommand?, isShort: Bool) -> String {
    let lines = subcommand.map { isShort ? short($0) : long($0) } ?? program(isShort: isShort)
    return lines.joined(separator: "\n")
  }

  /// At most 40 lines: the most used options, one line each.
  private static func short(_ subcommand: Subcommand) -> [String] {
    let options = subcommand.options
    let common = options.filter(\.isCommon)
    let width = (common.map { briefHeading($0).count }.max() ?? 0) + 4
    let lines = common.map { "  \(briefHeading($0).padded(to: width - 2))\(brief($0, width))" }
    let rest = options.count - common.count
    let more = rest == 1 ? "1 more option" : "\(rest) more options"
    return head(subcommand) + [""] + lines + [
      "", "\(more), and all of them in full: workq \(subcommand.name) --help",
    ]
  }

  /// The names without aliases, in columns.
  private static func briefHeading(_ option: Option) -> String {
    let heading = option.headingWithoutAliases
    return option.short == nil ? "    \(heading)" : heading
  }

  private static func brief(_ option: Option, _ indent: Int) -> String {
    let summary = Prose.plain(option.summary)
    let full = option.defaultValue.isEmpty ? summary : "\(summary) (default: \(option.defaultValue))"
    return indent + full.count > Prose.columns ? summary : full
  }

  private static func long(_ subcommand: Subcommand) -> [String] {
    let description = subcommand.description.split(separator: "\n")
      .flatMap { [""] + Prose.lines(String($0), indent: 0) }
    return head(subcommand) + description + subcommand.groups().flatMap(section)
  }

  private static func head(_ subcommand: Subcommand) -> [String] {
    ["\(subcommand.summary).", "", subcommand.examples, "", "Usage: workq \(subcommand.usage)"]
  }

  private static func program(isShort: Bool) -> [String] {
    var lines = ["\(programSummary).", "", programExamples, ""]
    lines.append("Usage: workq [options] subcommand [options] [arguments]")
    if !isShort { lines += [""] + Prose.lines(programDescription, indent: 0) }
    lines += ["", "Subcommands:"]
    lines += Subcommand.all.map { "  \($0.name.padded(to: 10))\($0.summary)" }
    guard !isShort else {
      return lines + ["", "Options of a subcommand: workq <subcommand> -h; all in full: --help"]
    }
    return lines + (Invocation.commonGroups + [.program]).flatMap(section)
  }

  private static func section(_ group: OptionGroup) -> [String] {
    var lines = ["", "\(group.title):"]
    if !group.introduction.isEmpty { lines += Prose.lines(group.introduction, indent: 0) }
    for option in group.options {
      lines.append("  \(option.heading)")
      let details = option.details.isEmpty ? "" : " \(option.details)"
      lines += Prose.lines("\(option.summary)\(remark(option)).\(details)", indent: 6)
    }
    return lines
  }

  /// The default and the environment.
  private static func remark(_ option: Option) -> String {
    let environment = option.environment.joined(separator: ", ")
    let remarks = [("default", option.defaultValue), ("environment", environment)]
      .filter { !$1.isEmpty }.map { "\($0): \($1)" }
    return remarks.isEmpty ? "" : " (\(remarks.joined(separator: "; ")))"
  }
}
