internal import ArgumentParser

extension Console.ColorMode: ExpressibleByArgument {}

/// How much is said, and in which form.
struct OutputOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say what is done, step by step, on stderr.")
  var verbose = false

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: "Write results as JSON, one object per line.")
  var json = false

  @Option(help: ArgumentHelp("Colour messages. [environment: NO_COLOR]", valueName: "when"))
  var color = Console.ColorMode.auto

  var console: Console { Console(isQuiet: quiet, isVerbose: verbose, colorMode: color) }

  func validate() throws {
    if verbose && quiet { throw ValidationError("--verbose and --quiet exclude each other.") }
  }
}
