import Foundation

/// A TCP proxy between a program and its broker that injects faults, built on plain sockets and threads.
///
/// It listens on its own port and forwards to the broker. Every connection has two threads, one for each
/// direction.
public final class FaultProxy: @unchecked Sendable {
  /// What happens to bytes in transit from now on.
  public enum Condition: Equatable, Sendable {
    case normal
    /// Each piece is delayed by this number of seconds.
    case slow(Double)
    /// At most this number of bytes per second is forwarded in each direction.
    case limited(Int)
    /// Each byte is sent separately.
    case trickling
    /// Nothing is forwarded, and no connection is closed, as with an unplugged cable.
    case frozen
    /// Replies of the broker are discarded; data to the broker is forwarded.
    case losingReplies

    /// The number of bytes that are forwarded together.
    fileprivate func largestPiece(of most: Int) -> Int {
      guard case .limited(let rate) = self else { return most }
      return min(most, max(1, rate / 10))
    }
  }

  public let port: Int
  private let brokerPort: Int
  private let listener: Int32
  private let lock = NSLock()
  /// Signalled when the proxy stops.
  private let ending = NSCondition()
  // The lock protects all of these.
  private var condition = Condition.normal
  private var refuses = false
  private var isOver = false
  /// The byte that is still to be corrupted.
  private var damage: Damage?
  private var replacement: (bytes: [UInt8], others: [UInt8])?
  /// Connections whose close on one side is not forwarded to the other.
  private var halfOpened: Set<Int> = []
  private var links: [Int: (client: Int32, broker: Int32)] = [:]
  /// Connections whose replies are discarded.
  private var muted: Set<Int> = []
  private var nextLink = 0
  private var accepted = 0
  /// The point at which a connection freezes.
  private var freezePoint: FreezePoint?
  private var frozen: Set<Int> = []
  /// Units of the broker's replies that have passed on each connection.
  private var counters: [Int: UnitCounter] = [:]
  /// Frames from the program that have passed on each connection.
  private var requestCounters: [Int: UnitCounter] = [:]
  /// The time of the last data from the program and from the broker, and the longest time without data.
  private var lastArrivals: [Source: DispatchTime] = [:]
  private var silences: [Source: Double] = [:]

  public convenience init(to broker: Broker) throws { try self.init(toPort: broker.port) }

  public init(toPort brokerPort: Int) throws {
    self.brokerPort = brokerPort
    let listener = try Self.newSocket()
    self.listener = listener
    var address = Self.loopback(0)
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, listen(listener, 64) == 0 else { throw ProxyFailed(code: errno) }
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &size) }
    }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [self] in accept() }
  }

  /// The broker's URL through the proxy.
  public func url(of broker: Broker) -> String { broker.url.replacing(":\(brokerPort)/", with: ":\(port)/") }

  public func set(_ condition: Condition) { lock.withLock { self.condition = condition } }

  /// Closes new connections at once from now on, or no longer.
  public func refuse(_ refuses: Bool) { lock.withLock { self.refuses = refuses } }

  /// Inverts some bits of the byte at offset `bytes` after those that have passed in its direction.
  public func spoil(inAnswer: Bool, after bytes: Int, bits: UInt8) {
    lock.withLock { damage = Damage(isInAnswer: inAnswer, bytesToGo: bytes, bits: bits) }
  }

  /// Replaces bytes in the broker's replies from now on by as many others, if they arrive in one piece.
  public func replaceInAnswers(_ bytes: [UInt8], by others: [UInt8]) {
    precondition(bytes.count == others.count)
    lock.withLock { replacement = (bytes, others) }
  }

  /// Whether the byte to corrupt has passed.
  public var hasSpoilt: Bool { lock.withLock { damage == nil } }

  private struct Damage {
    let isInAnswer: Bool
    var bytesToGo: Int
    let bits: UInt8
  }

  /// Discards the broker's replies on this connection from now on; connections are numbered from 1.
  public func mute(_ number: Int) { lock.withLock { _ = muted.insert(number) } }

  /// The unit in which replies are counted: AMQP frames or TLS records.
  public enum Unit: Sendable {
    case frame
    case record
  }

  private struct FreezePoint {
    let number: Int
    let unit: Unit
    let units: Int
  }

  /// Freezes a connection in both directions after this number of units of the broker's replies; connections
  /// are numbered from 1.
  public func freeze(_ number: Int, after units: Int, _ unit: Unit) {
    lock.withLock { freezePoint = FreezePoint(number: number, unit: unit, units: units) }
  }

  /// Whether a connection has frozen.
  public var hasFrozen: Bool { lock.withLock { !frozen.isEmpty } }

  /// Units of the broker's replies that have passed on each connection, starting with the first.
  public var unitsPassed: [Int] { lock.withLock { (1...max(1, accepted)).map { counters[$0]?.count ?? 0 } } }

  /// Frames from the program that have passed on all connections, which must not use TLS.
  public var framesSent: Int { lock.withLock { requestCounters.values.reduce(0) { $0 + $1.count } } }

  private struct Source: Hashable {
    let number: Int
    let isBroker: Bool
  }

  /// The longest time in seconds without data from the program on any open connection.
  public var longestSilenceOfProgram: Double { longestSilence(ofBroker: false) }

  /// The same for the broker; a peer that sends nothing for two heartbeats counts as dead.
  public var longestSilenceOfBroker: Double { longestSilence(ofBroker: true) }

  private func longestSilence(ofBroker: Bool) -> Double {
    lock.withLock { silences.filter { $0.key.isBroker == ofBroker }.values.max() ?? 0 }
  }

  private func noteArrival(_ number: Int, isBroker: Bool) {
    let (source, now) = (Source(number: number, isBroker: isBroker), DispatchTime.now())
    lock.withLock {
      if let last = lastArrivals[source] {
        let silence = Double(now.uptimeNanoseconds - last.uptimeNanoseconds) / 1_000_000_000
        silences[source] = max(silence, silences[source] ?? 0)
      }
      lastArrivals[source] = now
    }
  }

  /// The number of connections that are open or have bytes to forward.
  public var liveConnections: Int { lock.withLock { links.count } }

  /// The number of connections accepted so far.
  public var connections: Int { lock.withLock { accepted } }

  /// Closes all present connections, or the one of this number, on both sides; new ones are not affected.
  public func cut(only number: Int? = nil) {
    lock.withLock {
      for link in links.filter({ number == nil || $0.key == number }).values {
        shutdown(link.client, Int32(SHUT_RDWR))
        shutdown(link.broker, Int32(SHUT_RDWR))
      }
    }
  }

  /// Closes the program's side of all present connections; the broker's side stays open.
  public func halfOpen() {
    lock.withLock {
      for (number, link) in links {
        halfOpened.insert(number)
        shutdown(link.client, Int32(SHUT_RDWR))
      }
    }
  }

  /// Stops the proxy and closes its connections; the creator of the proxy must call this.
  public func stop() {
    lock.withLock {
      isOver = true
      halfOpened = []
    }
    ending.withLock { ending.broadcast() }
    cut()
    shutdown(listener, Int32(SHUT_RDWR))
  }

  // MARK: Threads

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      let (ends, refuses) = lock.withLock { (isOver, self.refuses) }
      if ends || client < 0 && errno != EINTR && errno != ECONNABORTED {
        if client >= 0 { close(client) }
        close(listener)
        return
      }
      guard client >= 0 else { continue }
      guard !refuses, let broker = try? connect() else {
        close(client)
        continue
      }
      let number = lock.withLock {
        nextLink += 1
        accepted += 1
        links[nextLink] = (client, broker)
        return nextLink
      }
      let group = DispatchGroup()
      for (from, to, isAnswer) in [(client, broker, false), (broker, client, true)] {
        group.enter()
        Thread.detachNewThread { [self] in
          carry(from, to, isAnswer, of: number)
          if !lock.withLock({ halfOpened.contains(number) }) {
            shutdown(from, Int32(SHUT_RDWR))
            shutdown(to, Int32(SHUT_RDWR))
          }
          group.leave()
        }
      }
      group.notify(queue: .global()) { [self] in
        lock.withLock { _ = links.removeValue(forKey: number) }
        close(client)
        close(broker)
      }
    }
  }

  /// Forwards bytes until one side closes.
  private func carry(_ from: Int32, _ to: Int32, _ isAnswer: Bool, of number: Int) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(from, &buffer, lock.withLock { condition.largestPiece(of: buffer.count) }, 0)
      if count < 0 && errno == EINTR { continue }
      noteArrival(number, isBroker: isAnswer)
      guard count > 0 else { return }
      guard passes(count, isAnswer) else { continue }
      if isAnswer && lock.withLock({ muted.contains(number) }) { continue }
      damage(&buffer, count, isAnswer)
      if isAnswer { replaceBytes(of: &buffer, count) }
      if !isAnswer { countFrames(of: buffer[..<count], on: number) }
      if isAnswer, let allowed = allowance(of: buffer[..<count], on: number), allowed < count {
        pass(buffer[..<allowed], to: to)
        stayFrozen()
        return
      }
      if !isAnswer && lock.withLock({ frozen.contains(number) }) { return stayFrozen() }
      let isTrickling = lock.withLock { condition == .trickling }
      var sent = 0
      while sent < count {
        let end = isTrickling ? sent + 1 : count
        let result = buffer[sent..<end].withUnsafeBytes {
          send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if result < 0 && errno == EINTR { continue }
        guard result > 0 else { return }
        sent += result
      }
    }
  }

  private func pass(_ bytes: ArraySlice<UInt8>, to socket: Int32) {
    bytes.withUnsafeBytes { _ = send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// Counts the units of a piece of the replies.
  ///
  /// - Returns: how many of its bytes may pass before the connection freezes; nil means all.
  private func allowance(of bytes: ArraySlice<UInt8>, on number: Int) -> Int? {
    lock.withLock {
      let present = freezePoint?.number == number ? freezePoint : nil
      var counter = counters[number] ?? UnitCounter(unit: freezePoint?.unit ?? .frame)
      defer { counters[number] = counter }
      guard let allowed = counter.pass(bytes, upTo: present?.units) else { return nil }
      frozen.insert(number)
      return allowed
    }
  }

  private func countFrames(of bytes: ArraySlice<UInt8>, on number: Int) {
    lock.withLock {
      // The first eight bytes are the protocol header.
      _ = requestCounters[number, default: UnitCounter(unit: .frame, skipping: 8)].pass(bytes, upTo: nil)
    }
  }

  /// Keeps the connection open and silent until the proxy stops.
  private func stayFrozen() {
    ending.lock()
    while !lock.withLock({ isOver }) { ending.wait() }
    ending.unlock()
  }

  /// Finds the ends of frames or records in a stream.
  private struct UnitCounter {
    let unit: Unit
    private(set) var count = 0
    private var header: [UInt8] = []
    private var rest = 0
    private var skipped: Int

    init(unit: Unit, skipping skipped: Int = 0) { (self.unit, self.skipped) = (unit, skipped) }

    /// - Returns: the offset in the bytes where the unit of this number ends; 0 when it has passed before,
    ///   nil when it ends later.
    mutating func pass(_ bytes: ArraySlice<UInt8>, upTo limit: Int?) -> Int? {
      for (index, byte) in bytes.enumerated() {
        if count == limit { return index }
        if skipped > 0 {
          skipped -= 1
        } else if rest == 0 {
          header.append(byte)
          guard header.count == (unit == .frame ? 7 : 5) else { continue }
          let size = header[3...].reduce(0) { $0 << 8 | Int($1) }
          rest = unit == .frame ? size + 1 : size
          header = []
          if rest == 0 { count += 1 }
        } else {
          rest -= 1
          if rest == 0 { count += 1 }
        }
      }
      return nil
    }
  }

  /// Applies the current fault to a piece.
  ///
  /// - Returns: whether to forward the piece; a frozen piece waits here until the fault is lifted.
  private func passes(_ count: Int, _ isAnswer: Bool) -> Bool {
    while true {
      let (condition, isOver) = lock.withLock { (self.condition, self.isOver) }
      if isOver { return false }
      switch condition {
      case .normal, .trickling: return true
      case .losingReplies: return !isAnswer
      case .slow(let seconds):
        usleep(UInt32(seconds * 1_000_000))
        return true
      case .limited(let rate):
        usleep(UInt32(count * 1_000_000 / rate))
        return true
      case .frozen: usleep(5000)
      }
    }
  }

  private func replaceBytes(of buffer: inout [UInt8], _ count: Int) {
    guard let replacement = lock.withLock({ replacement }) else { return }
    for range in buffer[..<count].ranges(of: replacement.bytes) {
      buffer.replaceSubrange(range, with: replacement.others)
    }
  }

  /// Corrupts the byte that is to be corrupted, if it is in this piece.
  private func damage(_ buffer: inout [UInt8], _ count: Int, _ isAnswer: Bool) {
    lock.withLock {
      guard let present = damage, present.isInAnswer == isAnswer else { return }
      guard present.bytesToGo < count else {
        damage?.bytesToGo -= count
        return
      }
      buffer[present.bytesToGo] ^= present.bits
      damage = nil
    }
  }

  // MARK: Sockets

  private func connect() throws -> Int32 {
    let socket = try Self.newSocket()
    var address = Self.loopback(brokerPort)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(socket)
      throw ProxyFailed(code: errno)
    }
    return socket
  }

  private static func newSocket() throws -> Int32 {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw ProxyFailed(code: errno) }
    var yes: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    return socket
  }

  private static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  struct ProxyFailed: Error {
    let code: Int32
  }
}
