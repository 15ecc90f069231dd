internal import Glibc

/// Hides passwords from our command line in ps(1) and /proc/PID/cmdline.
enum ArgumentScrubber {
  /// Overwrites the passwords of URLs among the arguments, from the colon behind the user to the last "@".
  ///
  /// They were readable before, for a moment, which is why there is a warning, too. The kernel reports where the
  /// arguments are; if it does not, they stay unchanged.
  ///
  /// - Parameter arguments: the original arguments, to see whether there is anything to hide.
  static func hidePasswords(in arguments: [String]) {
    guard arguments.contains(where: { !passwords(in: Array($0.utf8)).isEmpty }) else { return }
    guard let (start, end) = argumentAddresses(), start < end,
      let memory = unsafe UnsafeMutablePointer<UInt8>(bitPattern: start)
    else { return }
    let arguments = unsafe UnsafeMutableBufferPointer(start: memory, count: end - start)
    var first = 0
    for index in arguments.indices where unsafe arguments[index] == 0 {
      let argument = unsafe Array(arguments[first..<index])
      for position in passwords(in: argument) { unsafe arguments[first + position] = UInt8(ascii: "x") }
      first = index + 1
    }
  }

  /// The ranges of passwords in an argument.
  static func passwords(in argument: [UInt8]) -> Range<Int> {
    let none = 0..<0
    guard let end = argument.lastIndex(of: UInt8(ascii: "@")),
      let scheme = argument.firstRange(of: Array("://".utf8)),
      let colon = argument[scheme.upperBound...].firstIndex(of: UInt8(ascii: ":")), colon < end
    else { return none }
    let name = String(decoding: argument[..<scheme.lowerBound].suffix(5), as: UTF8.self).lowercased()
    return name.hasSuffix("amqp") || name.hasSuffix("amqps") ? colon + 1..<end : none
  }

  /// The addresses of the first argument and of the end of the last, from proc(5).
  private static func argumentAddresses() -> (Int, Int)? {
    guard let file = unsafe fopen("/proc/self/stat", "re") else { return nil }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    // The second field is the program's name in parentheses, which may contain anything.
    guard let name = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = String(decoding: bytes[name..<count], as: UTF8.self).split(separator: " ")
    guard fields.count > 47, let start = Int(fields[46]), let end = Int(fields[47]) else { return nil }
    return (start, end)
  }
}
