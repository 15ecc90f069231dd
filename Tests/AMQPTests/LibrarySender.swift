import CRabbitMQ
import Foundation

@testable import AMQP

/// Captures what rabbitmq-c sends for a message, at the other end of its socket.
final class LibrarySender {
  private let state: amqp_connection_state_t
  private let pair: SocketPair

  init(frameMax: Int32) throws {
    pair = try SocketPair()
    state = amqp_new_connection()
    amqp_tcp_socket_set_sockfd(amqp_tcp_socket_new(state), pair.takeOne())
    // rabbitmq-c refuses amqp_tune_connection() until it has read a frame: here connection.unblocked.
    pair.write([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xce])
    var (frame, now) = (amqp_frame_t(), timeval())
    amqp_simple_wait_frame_noblock(state, &frame, &now)
    amqp_tune_connection(state, 1, frameMax, 0)
  }

  deinit {
    amqp_destroy_connection(state)
  }

  func publish(_ message: Message, exchange: String, routingKey: String) throws -> [UInt8] {
    var pool = Pool()
    var properties = try pool.properties(message.properties)
    amqp_basic_publish(
      state, 1, pool.bytes(exchange), pool.bytes(routingKey), 1, 0, &properties, pool.bytes(message.body))
    return pair.read()
  }
}

/// Two connected, non-blocking sockets.
final class SocketPair {
  private(set) var one: Int32
  private let other: Int32

  init(buffer: Int32? = nil) throws {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw POSIXError(.EIO) }
    (one, other) = (ends[0], ends[1])
    guard var buffer else { return }
    setsockopt(one, SOL_SOCKET, SO_SNDBUF, &buffer, 4)
  }

  deinit {
    close(one)
    close(other)
  }

  /// Returns the first end, which the caller must close.
  func takeOne() -> Int32 {
    defer { one = -1 }
    return one
  }

  func closeOther() { shutdown(other, Int32(SHUT_RDWR)) }

  /// Sends from the second end.
  func write(_ bytes: [UInt8]) {
    send(other, bytes, bytes.count, 0)
  }

  /// Reads at most `limit` of the bytes that have arrived at the second end.
  func read(atMost limit: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while all.count < limit {
      let count = recv(other, &piece, min(piece.count, limit - all.count), 0)
      guard count > 0 else { break }
      all += piece[..<count]
    }
    return all
  }
}
