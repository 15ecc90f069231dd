internal import AMQP
internal import Glibc

/// The program.
enum Workq {
  static func main() {
    StandardStreams.reserve()
    let arguments = RawArguments.text()
    var output = OutputSettings()
    // Until the options are parsed, any word `--json` counts.
    output.isJSON = arguments.prefix { $0 != "--" }.contains("--json")
    do {
      ArgumentScrubber.hidePasswords(in: arguments)
      switch try Invocation.parse(arguments) {
      case .help(let subcommand, let isShort):
        output.console.print(Help.text(subcommand, isShort: isShort))
      case .print(let text): output.console.print(text)
      case .run(let subcommand, let settings):
        output = settings.output
        try subcommand.run(settings)
      }
    } catch let failure as Failure {
      exit(failure, output)
    } catch {
      exit(Failure(.software, "\(error)"), output)
    }
  }

  /// Reports why: in a line on stderr, and with `--json` on stdout, too.
  private static func exit(_ failure: Failure, _ output: OutputSettings) -> Never {
    output.console.failure(failure.message)
    if output.isJSON {
      output.console.print([.error: failure.message, .code: failure.status.rawValue])
    }
    Glibc.exit(failure.status.rawValue)
  }
}
