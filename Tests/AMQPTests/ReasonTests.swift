import TestSupport
import Testing

@testable import AMQP

/// Classifies error texts of RabbitMQ 3.10.8, 4.0.5 and 4.3.6, with names as these brokers insert them.
@Suite(.units) struct ReasonTests {
  private static let queue = "queue 'mail' in vhost '/'"

  @Test(
    arguments: [
      // Log-in.
      (
        403,
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker "
          + "logfile.", .accessRefused
      ),
      (530, "NOT_ALLOWED - vhost nope not found", .accessRefused),
      (530, "NOT_ALLOWED - access to vhost '/' refused for user 'guest'", .accessRefused),
      (
        530, "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached",
        .connectionRefused
      ),
      (
        530,
        "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit cannot be queried, "
          + "timeout", .connectionRefused
      ),
      (
        530, "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached",
        .connectionRefused
      ),
      (530, "NOT_ALLOWED - connection refused: node connection limit (1) is reached", .connectionRefused),
      (
        530, "NOT_ALLOWED - access to vhost '/' refused for user 'guest': vhost '/' is down",
        .connectionRefused
      ),
      (
        541, "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down",
        .connectionRefused
      ),
      // Channels.
      (
        530,
        "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit "
          + "of (1)", .unavailable
      ),
      (
        530,
        "NOT_ALLOWED - number of channels opened on node 'a@b' has reached the maximum allowed limit of 1",
        .unavailable
      ),
      // Permissions.
      (403, "ACCESS_REFUSED - access to \(queue) refused for user 'guest'", .accessRefused),
      (403, "ACCESS_REFUSED - read access to \(queue) refused for user 'guest'", .accessRefused),
      (403, "ACCESS_REFUSED - configure access to \(queue) refused for user 'guest'", .accessRefused),
      (
        403, "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'guest'",
        .accessRefused
      ),
      // Queues that exist but are temporarily unusable.
      (403, "ACCESS_REFUSED - \(queue) in exclusive use", .locked),
      (
        405,
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked \(queue). It could be originally declared "
          + "on another connection or the exclusive property value does not match that of the original "
          + "declaration.", .locked
      ),
      (404, "NOT_FOUND - home node 'rabbit@one' of durable \(queue) is down or inaccessible", .unavailable),
      (404, "NOT_FOUND - \(queue) has crashed and failed to restart", .unavailable),
      (404, "NOT_FOUND - \(queue) process is stopped by supervisor", .unavailable),
      (404, "NOT_FOUND - failed to perform operation on \(queue) due to timeout", .unavailable),
      (
        404,
        "NOT_FOUND - failed to perform operation on \(queue): its master replica <0.1.0> may be stopping or "
          + "being demoted", .unavailable
      ),
      (
        404,
        "NOT_FOUND - failed to perform operation on \(queue): its leader <0.1.0> may be stopping or being "
          + "demoted", .unavailable
      ),
      (
        406,
        "PRECONDITION_FAILED - Queue mail in vhost / is down. The queue may be non-empty. Refusing to "
          + "force-delete.", .unavailable
      ),
      (
        541,
        "INTERNAL_ERROR - Cannot declare quorum \(queue) on node 'a@b' with leader on node 'a@b': timeout",
        .unavailable
      ),
      (541, "INTERNAL_ERROR - Cannot declare a queue '\(queue)' on node 'a@b': timeout", .unavailable),
      (
        541,
        "INTERNAL_ERROR - Could not declare \(queue) on node 'a@b' because the metadata store operation timed "
          + "out", .unavailable
      ),
      (
        541,
        "INTERNAL_ERROR - Could not declare quorum \(queue) on node 'a@b' because the metadata store "
          + "operation timed out", .unavailable
      ),
      (541, "INTERNAL_ERROR - failed to declare \(queue) because the operation timed out", .unavailable),
      (541, "INTERNAL_ERROR - failed to delete \(queue) due to a timeout", .unavailable),
      (
        541, "INTERNAL_ERROR - The operation to delete the queue from the metadata store timed out",
        .unavailable
      ),
      (541, "INTERNAL_ERROR - Cannot get a message from queue 'mail': timeout", .unavailable),
      (541, "INTERNAL_ERROR - \(queue) timeout occurred during consume operation", .unavailable),
      (541, "INTERNAL_ERROR - timed out consuming from quorum \(queue): {timeout,x}", .unavailable),
      (541, "INTERNAL_ERROR - failed consuming from quorum \(queue): noproc", .unavailable),
      (541, "INTERNAL_ERROR - Stream coordinator unavailable for \(queue)", .unavailable),
      (506, "RESOURCE_ERROR - out of file handles", .unavailable),
      // Limits on queues.
      (
        406, "PRECONDITION_FAILED - cannot declare queue 'mail': queue limit in vhost '/' (0) is reached",
        .unavailable
      ),
      (
        406, "PRECONDITION_FAILED - cannot declare queue 'mail': queue limit in cluster (1) is reached",
        .unavailable
      ),
      // Missing objects and failed preconditions.
      (404, "NOT_FOUND - no \(queue)", .notFound),
      (404, "NOT_FOUND - no exchange 'logs' in vhost '/'", .notFound),
      (
        406,
        "PRECONDITION_FAILED - inequivalent arg 'durable' for \(queue): received 'false' but current is "
          + "'true'", .preconditionFailed
      ),
      (406, "PRECONDITION_FAILED - \(queue) in use", .preconditionFailed),
      (406, "PRECONDITION_FAILED - \(queue) not empty", .preconditionFailed),
      (406, "PRECONDITION_FAILED - unknown delivery tag 1", .preconditionFailed),
      (
        406,
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms. "
          + "This timeout value can be configured, see consumers doc guide to learn more", .preconditionFailed
      ),
      // Oversized messages and unsupported operations.
      (406, "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000", .tooLarge),
      (406, "PRECONDITION_FAILED - message size 600000000 is larger than max size 536870912", .tooLarge),
      (
        405,
        "RESOURCE_LOCKED - cannot obtain access to locked \(queue). basic.get operations are not supported by "
          + "quorum queues with single active consumer", .unsupported
      ),
      (
        540,
        "NOT_IMPLEMENTED - cannot delete \(queue). queue.delete operations with if-empty flag set are not "
          + "supported by quorum queues", .unsupported
      ),
      (
        541,
        "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated. By default, this feature is not "
          + "permitted anymore. The feature will be removed from a future major RabbitMQ version, regardless of the "
          + "configuration", .unsupported
      ),
      (
        541,
        "INTERNAL_ERROR - Cannot declare a queue '\(queue)' of type 'quorum' on node 'a@b': the corresponding "
          + "feature flag is disabled", .unsupported
      ),
      // Errors that only close the connection.
      (530, "NOT_ALLOWED - attempt to reuse consumer tag 'workq'", .lost),
      (541, "INTERNAL_ERROR", .lost),
      (320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", .lost),
      (320, "CONNECTION_FORCED - vhost '/' is down", .lost),
    ] as [(UInt16, String, AMQPError.Kind)])
  func `maps the broker's reply code and text to the kind of error`(
    code: UInt16, text: String, kind: AMQPError.Kind
  ) {
    #expect(AMQPError(code: code, text, "test") == AMQPError(kind, "test", text))
  }

  /// A queue's name may contain the text of another error.
  @Test(
    arguments: [
      (404, "NOT_FOUND - no queue 'home node 'x' has crashed and failed to restart' in vhost '/'", .notFound),
      (404, "NOT_FOUND - no queue 'x is down' in vhost '/ has crashed and failed to restart", .notFound),
      (
        403, "ACCESS_REFUSED - access to queue 'in exclusive use' in vhost '/' refused for user 'u'",
        .accessRefused
      ),
      (
        406,
        "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'message size 5' in vhost '/': received '1' but "
          + "current is '2'", .preconditionFailed
      ),
    ] as [(UInt16, String, AMQPError.Kind)])
  func `ignores error text inside queue and vhost names when it classifies an error`(
    code: UInt16, text: String, kind: AMQPError.Kind
  ) {
    #expect(AMQPError(code: code, text, "test").kind == kind)
  }

  @Test func `a failure to reach any broker of a list is transient when that of one broker is`() throws {
    let nobody = try Address.list("amqp://127.0.0.1:1,amqps://127.0.0.1:1?cacertfile=/nowhere")
    let error = #expect(throws: AMQPError.self) { _ = try Connection.open(firstOf: nobody, .init()) }
    #expect(error?.kind == .unreachable)
    #expect(error?.isTransient == true)
  }
}
