package import AMQP
internal import Glibc

/// A directory that stores tasks while the broker is unreachable.
///
/// 1. Tasks for which `add` has returned survive any crash, of this process or of the machine.
/// 2. Incomplete files are never read: files get their names only when they are on the disk.
/// 3. File names sort by age, even if the clock is set back.
/// 4. Adding needs no lock. A process that takes tasks out holds the lock from listing to removing them.
/// 5. A crash while tasks are taken out loses none; the segment removed last may reappear, complete.
package struct Spool: ~Copyable {
  private static let longestWait = Duration.milliseconds(100)

  private let directory: FilePath
  private let disk: Disk
  private let lockFile: Disk.OpenFile
  private var isLocked = false

  /// Creates the directory if it is missing.
  ///
  /// - Throws: `unwritable` or `full`.
  package init(directory: FilePath) throws(SpoolError) {
    try self.init(directory: directory, disk: Disk())
  }

  init(directory: FilePath, disk: Disk) throws(SpoolError) {
    self.directory = directory
    self.disk = disk
    lockFile = try Self.prepare(directory, disk)
  }

  /// Takes the spool's lock, which is held until the end of this value or of the process.
  ///
  /// - Returns: false when another process held it until the deadline, or a signal asked to stop.
  package mutating func lock(until deadline: Deadline) throws(SpoolError) -> Bool {
    var wait = Duration.milliseconds(1)
    while try !disk.lock(lockFile) {
      guard !deadline.hasPassed, Signals.stop == nil else { return false }
      EventLoop.wait(until: min(deadline, .after(wait)))
      wait = min(wait * 2, Self.longestWait)
    }
    isLocked = true
    return true
  }

  /// Stores tasks in a new segment after all others; they are on the disk when this returns.
  ///
  /// - Throws: `unwritable` or `full`; then none of them is stored.
  package func add(_ envelopes: [Envelope]) throws(SpoolError) {
    guard !envelopes.isEmpty else { return }
    let pieces = try encode(envelopes)
    var number = try nextNumber()
    while true {
      let segment = SpoolName.segment(number)
      if let draft = try claim(segment) { return try store(pieces, in: draft, as: segment, isNew: true) }
      number = try following(number)
    }
  }

  /// The names of the segments, oldest first.
  ///
  /// With the lock it also removes what dead processes have left: drafts, and segments with a replacement.
  package func segments() throws(SpoolError) -> [String] {
    let names = try disk.list(directory)
    var segments = names.filter { SpoolName.isSegment($0) }.sorted()
    guard isLocked else { return segments }
    for name in names where SpoolName.isTemporary(name) { try removeIfAbandoned(path(name)) }
    for name in segments where SpoolName.replacement(of: name) != name {
      guard segments.contains(SpoolName.replacement(of: name)) else { continue }
      try disk.sync(directory: directory)
      try disk.remove(path(name))
      segments.removeAll { $0 == name }
    }
    return segments
  }

  /// The tasks of a segment, in the order in which they were added.
  ///
  /// - Throws: `corrupt` when a byte differs from what was written; `unreadable`.
  package func read(_ segment: String) throws(SpoolError) -> [Envelope] {
    let file = try openToRead(path(segment))
    guard let size = try disk.status(file).size else { throw Self.notAFile(file.path) }
    return try SpoolFile.decode(file.path, size: size) { count throws(SpoolError) in
      try disk.read(count, from: file)
    }
  }

  /// Removes a segment whose tasks are all settled.
  package func remove(_ segment: String) throws(SpoolError) {
    try disk.remove(path(segment))
  }

  /// Replaces a segment by `rest`, at the same place in the order; at no time is less on the disk.
  ///
  /// - Returns: the name of the segment that holds the rest.
  @discardableResult
  package func replace(_ segment: String, with rest: [Envelope]) throws(SpoolError) -> String {
    let replacement = SpoolName.replacement(of: segment)
    guard !rest.isEmpty else {
      try remove(segment)
      return replacement
    }
    let pieces = try encode(rest)
    let draft = try disk.open(path(SpoolName.rest(of: replacement)), O_WRONLY | O_CREAT | O_TRUNC)
    try store(pieces, in: draft, as: replacement, isNew: false)
    if replacement != segment { try remove(segment) }
    return replacement
  }

  /// Renames a corrupt segment, so that it is ignored and can be inspected.
  ///
  /// - Returns: its path.
  package func setAside(_ segment: String) throws(SpoolError) -> FilePath {
    let target = path(SpoolName.setAside(segment))
    try disk.rename(path(segment), to: target)
    return target
  }

  private func path(_ name: String) -> FilePath { directory + "/\(name)" }
}

// MARK: Reading

extension Spool {
  private func openToRead(_ path: FilePath) throws(SpoolError) -> Disk.OpenFile {
    do throws(SpoolError) {
      // It may be a FIFO, which must not block us.
      return try disk.open(path, O_RDONLY | O_NONBLOCK, otherwise: .unreadable)
    } catch let error where error.code == ELOOP || error.code == ENXIO {
      throw Self.notAFile(path)  // a symbolic link, or a socket
    }
  }

  private static func notAFile(_ path: FilePath) -> SpoolError {
    SpoolError(.corrupt, path, "it is not a regular file")
  }
}

// MARK: Writing

extension Spool {
  private func encode(_ envelopes: [Envelope]) throws(SpoolError) -> [[UInt8]] {
    do throws(AMQPError) {
      return try SpoolFile.encode(envelopes)
    } catch {
      throw SpoolError(.unwritable, directory, error.detail)
    }
  }

  /// The time in nanoseconds, or the greatest number so far in the directory plus one, if that is later.
  private func nextNumber() throws(SpoolError) -> UInt64 {
    let newest = try disk.list(directory).compactMap { SpoolName.number(of: $0) }.max()
    guard let newest else { return disk.clock() }
    return max(disk.clock(), try following(newest))
  }

  private func following(_ number: UInt64) throws(SpoolError) -> UInt64 {
    guard number < .max else { throw SpoolError(.unwritable, directory, "it has a file of the last name") }
    return number + 1
  }

  /// A new draft for a segment; it reserves the segment's name.
  ///
  /// - Returns: nil when another process has the name.
  private func claim(_ segment: String) throws(SpoolError) -> Disk.OpenFile? {
    let draft: Disk.OpenFile
    do throws(SpoolError) {
      draft = try disk.open(path(SpoolName.draft(of: segment)), O_WRONLY | O_CREAT | O_EXCL)
    } catch let error where error.code == EEXIST {
      return nil
    }
    do throws(SpoolError) {
      // Its lock shows that its writer is alive. A process that saw it before it was locked may have removed it.
      guard try disk.lock(draft), try disk.status(draft).names > 0 else { return nil }
      guard try disk.exists(path(segment)) else { return draft }
    } catch {
      try? disk.remove(draft.path)
      throw error
    }
    try disk.remove(draft.path)
    return nil
  }

  /// Writes a draft, and renames it to the segment's name when it is on the disk.
  private func store(
    _ pieces: [[UInt8]], in draft: borrowing Disk.OpenFile, as segment: String, isNew: Bool
  ) throws(SpoolError) {
    var leftover: FilePath? = draft.path
    do throws(SpoolError) {
      for piece in pieces { try disk.write(piece, to: draft) }
      try disk.sync(draft)
      try disk.rename(draft.path, to: path(segment))
      // The tasks of an older segment remain in one of the two files; those of a new one were not stored.
      leftover = isNew ? path(segment) : nil
      try disk.sync(directory: directory)
    } catch {
      // A draft that cannot be removed is cleaned up later; the first error is the one to report.
      if let leftover { try? disk.remove(leftover) }
      throw error
    }
  }

  private func removeIfAbandoned(_ path: FilePath) throws(SpoolError) {
    do throws(SpoolError) {
      let file = try disk.open(path, O_WRONLY)
      if try disk.lock(file) { try disk.remove(path) }
    } catch let error where error.code == ENOENT {
      // Its writer is alive, and has just completed it.
    }
  }
}

// MARK: The directory

extension Spool {
  /// Creates what is missing, and opens the lock file.
  private static func prepare(_ directory: FilePath, _ disk: Disk) throws(SpoolError) -> Disk.OpenFile {
    guard !directory.bytes.isEmpty else { throw SpoolError(.unwritable, directory, "its name is empty") }
    let path = directory + "/\(SpoolName.lock)"
    do throws(SpoolError) {
      let file = try disk.open(path, O_RDWR)
      try disk.checkIsWritable(directory: directory)
      return file
    } catch let error where error.code == ENOENT {
      try disk.makeDirectories(directory)
      try disk.checkIsWritable(directory: directory)
      // The lock file is created last: its existence means that the directory itself is on the disk.
      try syncAncestors(of: directory, disk)
      return try disk.open(path, O_RDWR | O_CREAT)
    }
  }

  private static func syncAncestors(of directory: FilePath, _ disk: Disk) throws(SpoolError) {
    var path = try disk.resolve(directory)
    while let parent = Disk.parent(of: path) {
      do throws(SpoolError) {
        try disk.sync(directory: parent)
      } catch let error where error.code == EACCES || error.code == EINVAL {
        // It belongs to another user, or its file system does not support this: it existed before us.
      }
      path = parent
    }
  }
}
