package import AMQP
internal import Glibc

/// Why a spool cannot keep tasks, or give them back.
package struct SpoolError: Error, Equatable, Sendable {
  /// What is wrong with the spool.
  package enum Kind: Equatable, Sendable {
    /// The directory, or a file in it, cannot be made or changed.
    case unwritable
    /// The disk, or this user's share of it, is full.
    case full
    /// A file does not hold what was written, or was never a spool's.
    case corrupt
    /// What is there cannot be read.
    case unreadable
  }

  package let kind: Kind
  /// The file or directory.
  package let path: FilePath
  /// The system's own words, where it gave any.
  package let detail: String
  /// The system's number for it; 0 when the system had no part in it.
  let code: Int32

  /// Whether the file is no longer there: somebody else has removed it.
  package var isMissing: Bool { code == ENOENT }

  init(_ kind: Kind, _ path: FilePath, _ detail: String) {
    (self.kind, self.path, self.detail, code) = (kind, path, detail, 0)
  }

  /// What a system call failed with; `kind` is what that means, unless the disk is full.
  init(code: Int32, _ kind: Kind, _ path: FilePath) {
    self.kind = code == ENOSPC || code == EDQUOT ? .full : kind
    self.path = path
    self.code = code
    detail = unsafe String(cString: strerror(code))
  }
}
