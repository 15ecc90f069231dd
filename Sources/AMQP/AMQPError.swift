internal import Glibc

/// What went wrong between us and the broker: the kind of error, the operation, and the reason.
package struct AMQPError: Error, Equatable, Sendable {
  /// Error handling depends on the kind alone.
  package enum Kind: Equatable, Sendable {
    /// The broker's URL is malformed.
    case badAddress
    /// The host name has no address.
    case unresolvable
    /// Nothing answered there in time.
    case unreachable
    /// This machine is short of descriptors or memory.
    case shortage
    /// The peer is not an AMQP broker, or not ready yet.
    case noBroker
    /// TLS could not be set up, or one side does not trust the other.
    case tls
    /// A file that TLS needs cannot be read, or has the wrong content.
    case badFile
    /// No reply in time on an open connection.
    case timedOut
    /// A signal ended the wait for a reply.
    case interrupted
    /// The connection was lost, or the broker closed it (a shutdown).
    case lost
    /// The broker accepts no connection from us for now: a limit on connections is reached, or the virtual host is
    /// down.
    case connectionRefused
    /// The broker refuses a request on an open connection for now: a limit is reached, or the queue has no majority
    /// or is on a node that is down.
    case unavailable
    /// The broker refuses this user, password, virtual host or operation (403, 530).
    case accessRefused
    /// No such queue or exchange (404).
    case notFound
    /// The queue exists with other properties, or a condition of the broker is not met (406).
    case preconditionFailed
    /// Another connection has exclusive use of it, for now (403, 405).
    case locked
    /// A task is unroutable (312).
    case unroutable
    /// The broker does not support this for the queue's type (540), or no longer at all (541).
    case unsupported
    /// The task or one of its properties is larger than the protocol or the broker allows.
    case tooLarge
    /// A violation of the protocol: a bug, in workq or in the broker.
    case protocolViolation
  }

  package let kind: Kind
  /// The operation, as a phrase: "connect", "declare queue 'task_queue'".
  package let operation: String
  /// Why it failed, in the broker's own text if it sent one.
  package let detail: String

  package init(_ kind: Kind, _ operation: String, _ detail: String) {
    self.kind = kind
    self.operation = operation
    self.detail = detail
  }

  /// A system call failed with the errno `code`; `kind` is used unless the reason is a shortage.
  package init(code: Int32, _ kind: Kind, _ operation: String) {
    let isShortage = [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(code)
    self.init(isShortage ? .shortage : kind, operation, unsafe String(cString: strerror(code)))
  }

  /// Whether a later attempt on a new connection may succeed.
  package var isTransient: Bool {
    switch kind {
    case .unresolvable, .unreachable, .shortage, .noBroker, .timedOut, .interrupted, .lost,
      .connectionRefused, .unavailable, .locked:
      true
    case .badAddress, .tls, .badFile, .accessRefused, .notFound, .preconditionFailed, .unsupported,
      .unroutable, .tooLarge, .protocolViolation:
      false
    }
  }
}
