internal import AMQP
internal import Glibc

@main
enum Workq {
  static func main() {
    StandardStreams.reserve()
    var console = Console()
    do {
      let arguments = RawArguments.text()
      ProcessListing.hidePasswords(in: arguments)
      switch try Invocation.parse(arguments) {
      case .help(let subcommand, let isShort): console.print(Help.text(subcommand, isShort: isShort))
      case .version: console.print("\(Version.current) (rabbitmq-c \(Connection.libraryVersion))")
      case .completions(let shell): console.print(Completions.script(for: shell))
      case .run(let subcommand, let settings):
        console = settings.output.console
        try subcommand.run(settings)
      }
    } catch let failure as Failure {
      console.failure(failure.message)
      Glibc.exit(failure.status.rawValue)
    } catch {
      console.failure("\(error)")
      Glibc.exit(ExitStatus.software.rawValue)
    }
  }
}
