internal import CRabbitMQ

extension amqp_bytes_t {
  /// The bytes, copied out of the library's memory.
  var array: [UInt8] {
    unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: len))
  }

  /// The bytes as text, copied; invalid UTF-8 is replaced.
  var text: String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: bytes, count: len), as: UTF8.self)
  }
}

/// Memory for the C structures of one call: everything taken from it lives until `recycle()`.
///
/// It is rabbitmq-c's own pool, so that a publish allocates nothing once the pool has warmed up.
@safe
struct Pool: ~Copyable {
  private var pool = unsafe amqp_pool_t()

  init() {
    unsafe init_amqp_pool(&pool, 4096)
  }

  deinit {
    var last = unsafe pool
    unsafe empty_amqp_pool(&last)
  }

  mutating func recycle() {
    unsafe recycle_amqp_pool(&pool)
  }

  /// Uninitialized memory for `count` values of a C type.
  mutating func room<Value>(for count: Int, of type: Value.Type) -> UnsafeMutablePointer<Value> {
    guard count > 0, let memory = unsafe amqp_pool_alloc(&pool, count * MemoryLayout<Value>.stride) else {
      precondition(count == 0, "out of memory")
      return unsafe UnsafeMutablePointer(bitPattern: MemoryLayout<Value>.alignment).unsafelyUnwrapped
    }
    return unsafe memory.bindMemory(to: type, capacity: count)
  }

  /// Runs one of the library's decoders on these bytes; nil when they are malformed.
  mutating func decode<Value>(
    _ encoded: [UInt8], _ type: Value.Type,
    _ decoder: (
      UnsafeMutablePointer<amqp_pool_t>, amqp_bytes_t, UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> Int32
  ) -> Value? {
    let bytes = unsafe bytes(encoded)
    var decoded: UnsafeMutableRawPointer?
    guard unsafe decoder(&pool, bytes, &decoded) >= 0 else { return nil }
    return unsafe decoded?.load(as: type)
  }

  mutating func bytes(_ array: [UInt8]) -> amqp_bytes_t {
    let copy = unsafe room(for: array.count, of: UInt8.self)
    unsafe copy.initialize(from: array, count: array.count)
    return unsafe amqp_bytes_t(len: array.count, bytes: copy)
  }

  mutating func bytes(_ text: String) -> amqp_bytes_t {
    var text = text
    return text.withUTF8 { utf8 in
      let copy = unsafe room(for: utf8.count, of: UInt8.self)
      if let base = utf8.baseAddress { unsafe copy.initialize(from: base, count: utf8.count) }
      return unsafe amqp_bytes_t(len: utf8.count, bytes: copy)
    }
  }
  /// Text for an AMQP short string.
  ///
  /// - Throws: `tooLarge`, which says `what` is too long.
  mutating func name(_ text: String, _ what: String = "the queue's name") throws(AMQPError) -> amqp_bytes_t {
    try AMQPError.checkLength(text, what)
    return unsafe bytes(text)
  }
}
