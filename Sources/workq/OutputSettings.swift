/// How much is printed, and in which form.
struct OutputSettings: Equatable {
  var isVerbose = false
  var isQuiet = false
  var isJSON = false
  var color = Console.ColorMode.auto
  /// Whether messages begin with the time.
  var hasTimestamps = false

  var console: Console {
    var console = Console(isQuiet: isQuiet, isVerbose: isVerbose, colorMode: color)
    console.hasTimestamps = hasTimestamps
    return console
  }

  func check() throws(UsageError) {
    guard !isVerbose || !isQuiet else { throw UsageError("--verbose and --quiet exclude each other") }
  }
}
