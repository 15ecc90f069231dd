import AMQP
import Foundation

@testable import WorkQueue

/// A disk that records every call, and simulates the death of the process at one of them.
///
/// A simulated power failure may also lose what was not synced. A dead process makes no more calls, so all later calls fail without effect.
final class FailingDisk {
  /// The contents of unsynced files after a power failure.
  enum Unsynced: CaseIterable { case kept, empty, half, zeros }

  private struct Change {
    /// The change reaches the disk when this directory is synced.
    let directory: String
    let undo: () throws -> Void
  }

  private let deathAt: Int
  /// Keeps the contents of removed files: on the disk they exist until their directory is synced.
  private let attic: String
  private(set) var calls: [Disk.Call] = []
  private var unsyncedFiles: Set<String> = []
  /// Changes of file names that have not reached the disk, oldest first.
  private var changes: [Change] = []

  init(attic: String, deathAt: Int = .max) throws {
    self.attic = attic
    self.deathAt = deathAt
    try FileManager.default.createDirectory(atPath: attic, withIntermediateDirectories: true)
  }

  var isDead: Bool { calls.count > deathAt }
  var unsyncedNames: Int { changes.count }

  var disk: Disk {
    var disk = Disk()
    disk.intercept = { [self] call in
      calls.append(call)
      if isDead { return .failure(EIO) }
      note(call)
      return nil
    }
    return disk
  }

  /// Undoes the unsynced name changes whose bits are set in the mask, and loses bytes of unsynced files.
  func failPower(losingNames mask: Int, _ unsynced: Unsynced) throws {
    for path in unsyncedFiles {
      guard let handle = FileHandle(forUpdatingAtPath: path) else { continue }
      let size = try handle.seekToEnd()
      switch unsynced {
      case .kept: break
      case .empty: try handle.truncate(atOffset: 0)
      case .half: try handle.truncate(atOffset: size / 2)
      case .zeros:
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: Data(count: Int(size)))
      }
      try handle.close()
    }
    for (index, change) in changes.enumerated().reversed() where mask & 1 << index != 0 { try change.undo() }
  }

  /// Records what a call that is about to succeed changes, and how to undo it.
  private func note(_ call: Disk.Call) {
    let (path, files) = (call.path.description, FileManager.default)
    switch call.name {
    case .makeDirectory, .open:
      // An open without O_CREAT leaves nothing to undo either.
      if files.fileExists(atPath: path) {
        if call.name == .open && path.hasSuffix(".rest.tmp") { unsyncedFiles.insert(path) }
        return
      }
      change(path) { if files.fileExists(atPath: path) { try files.removeItem(atPath: path) } }
    case .write:
      unsyncedFiles.insert(path)
    case .sync:
      unsyncedFiles.remove(path)
      changes.removeAll { $0.directory == path }
    case .rename:
      guard let target = call.target?.description else { return }
      if unsyncedFiles.remove(path) != nil { unsyncedFiles.insert(target) }
      let old = keep(target)
      change(target) {
        try files.moveItem(atPath: target, toPath: path)
        if let old { try files.linkItem(atPath: old, toPath: target) }
      }
    case .remove:
      guard let old = keep(path) else { return }
      change(path) { try files.linkItem(atPath: old, toPath: path) }
    case .access, .list, .lock, .read, .resolve, .status: break
    }
  }

  private func change(_ path: String, undo: @escaping () throws -> Void) {
    let directory = Disk.parent(of: FilePath(path))?.description ?? "."
    changes.append(Change(directory: directory, undo: undo))
  }

  /// Links a file that is about to lose its name under another name; nil when the file does not exist.
  private func keep(_ path: String) -> String? {
    let other = "\(attic)/\(calls.count)"
    return link(path, other) == 0 ? other : nil
  }
}
