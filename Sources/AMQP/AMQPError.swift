internal import Glibc

/// What went wrong between us and the broker: which kind of thing, during what, and in whose words.
package struct AMQPError: Error, Equatable, Sendable {
  /// What is to be done about an error depends on this alone.
  package enum Kind: Equatable, Sendable {
    /// The text given as a broker's URL is not one.
    case badAddress
    /// The host name has no address.
    case unresolvable
    /// Nothing answered there in time.
    case unreachable
    /// This machine has no descriptor or memory left for it, for now.
    case shortage
    /// What answered there is no AMQP broker, or not ready to be one yet.
    case noBroker
    /// TLS could not be set up, or one side does not trust the other.
    case tls
    /// A file that TLS needs cannot be read, or holds something else.
    case badFile
    /// No answer in time on a connection that stands.
    case timedOut
    /// A signal ended the wait for an answer.
    case interrupted
    /// The connection was lost, or the broker closed it for a reason of its own (a shutdown).
    case lost
    /// The broker accepts no connection of ours for now: a limit on connections is reached, or the virtual
    /// host is down.
    case connectionRefused
    /// The connection stands, and the broker refuses a request for now: a limit is reached, or the queue is
    /// on a node that is down or has no majority.
    case unavailable
    /// The broker refuses this user, password, virtual host or operation (403, 530).
    case accessRefused
    /// No such queue or exchange (404).
    case notFound
    /// It exists with other properties, or the broker's conditions are not met (406).
    case preconditionFailed
    /// Another connection has exclusive use of it, for now (403, 405).
    case locked
    /// No queue would take a task (312).
    case unroutable
    /// The broker cannot do this with a queue of that type (540), or no longer does it (541).
    case unsupported
    /// The task or one of its properties is larger than the protocol or the broker allows.
    case tooLarge
    /// Something that neither of us should have said: a bug, here or there.
    case protocolViolation
  }

  package let kind: Kind
  /// What was being done, as a phrase: "connect", "declare queue 'task_queue'".
  package let operation: String
  /// Why it failed: the broker's own words where it gave any.
  package let detail: String

  package init(_ kind: Kind, _ operation: String, _ detail: String) {
    self.kind = kind
    self.operation = operation
    self.detail = detail
  }

  /// A system call failed with `code`; for another reason than a shortage it is of the kind given.
  package init(code: Int32, _ kind: Kind, _ operation: String) {
    let isShortage = [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(code)
    self.init(isShortage ? .shortage : kind, operation, unsafe String(cString: strerror(code)))
  }

  /// Whether trying the same again later, on a new connection, may go better.
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
