/// How much is printed, and in which form.
struct OutputSettings: Equatable {
  var isVerbose = false
  var isQuiet = false
  var isJSON = false
  var color = Console.ColorMode.auto

  var console: Console { Console(isQuiet: isQuiet, isVerbose: isVerbose, colorMode: color) }

  func check() throws(UsageError) {
    guard !isVerbose || !isQuiet else { throw UsageError("--verbose and --quiet exclude each other") }
  }
}
