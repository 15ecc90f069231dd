package import AMQP
internal import Glibc

/// Why a spool cannot store or return tasks.
package struct SpoolError: Error, Equatable, Sendable {
  /// What is wrong with the spool.
  package enum Kind: Equatable, Sendable {
    /// The directory, or a file in it, cannot be created or changed.
    case unwritable
    /// The disk or the user's quota is full.
    case full
    /// A file's contents are not those that were written, or it is not a spool file.
    case corrupt
    /// A file cannot be read.
    case unreadable
  }

  package let kind: Kind
  /// The file or directory.
  package let path: FilePath
  /// The system's message, if there is one.
  package let detail: String
  /// The errno; 0 if no system call failed.
  let code: Int32

  /// Whether the file is missing: another process has removed it.
  package var isMissing: Bool { code == ENOENT }

  init(_ kind: Kind, _ path: FilePath, _ detail: String) {
    (self.kind, self.path, self.detail, code) = (kind, path, detail, 0)
  }

  /// A failed system call, from errno; `kind` is used unless the disk is full.
  init(code: Int32, _ kind: Kind, _ path: FilePath) {
    self.kind = code == ENOSPC || code == EDQUOT ? .full : kind
    self.path = path
    self.code = code
    detail = unsafe String(cString: strerror(code))
  }
}
