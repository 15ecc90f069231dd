/// A RabbitMQ version: major and minor, on which tests depend.
public struct RabbitMQVersion: Comparable, Sendable, CustomStringConvertible {
  public let major: Int
  public let minor: Int

  public init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

  /// Parses a version such as "4.3.6"; nil if it is malformed.
  init?(_ text: String) {
    let numbers = text.split(separator: ".").prefix(2).compactMap { Int($0) }
    guard numbers.count == 2 else { return nil }
    self.init(numbers[0], numbers[1])
  }

  public var description: String { "\(major).\(minor)" }

  public static func < (one: Self, other: Self) -> Bool {
    (one.major, one.minor) < (other.major, other.minor)
  }
}

/// Administration of the broker, by the Erlang functions that rabbitmqctl calls.
extension Broker {
  /// A resource alarm, which makes the broker block publishers.
  public enum Alarm: Sendable {
    case memory, disk
  }

  /// Raises an alarm, until `clear(_:)`.
  public func raise(_ alarm: Alarm) throws {
    switch alarm {
    case .memory: try evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.000001)")
    case .disk: try evaluate("rabbit_disk_monitor:set_disk_free_limit(1000000000000000)")
    }
  }

  public func clear(_ alarm: Alarm) throws {
    switch alarm {
    case .memory: try evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.4)")
    case .disk: try evaluate("rabbit_disk_monitor:set_disk_free_limit(50000000)")
    }
  }

  /// Changes a setting of the running broker, which does not read all settings again.
  ///
  /// `value` is an Erlang term. RabbitMQ 4.x reads the maximum message size only at startup.
  public func set(_ setting: String, _ value: String) throws {
    try evaluate("ok = application:set_env(rabbit, \(setting), \(value))")
  }

  /// Adds a user with permissions, which are regular expressions, in the default virtual host.
  ///
  /// Replaces a user of that name from an earlier run of the same test.
  public func addUser(
    _ name: String, password: String, configure: String = ".*", write: String = ".*", read: String = ".*"
  ) throws {
    try evaluate(
      """
      catch rabbit_auth_backend_internal:delete_user(\(binary(name)), <<"tests">>),
      ok = rabbit_auth_backend_internal:add_user(\(binary(name)), \(binary(password)), <<"tests">>)
      """)
    try setPermissions(of: name, configure: configure, write: write, read: read)
  }

  public func setPermissions(
    of name: String, configure: String = ".*", write: String = ".*", read: String = ".*",
    in vhost: String = "/"
  ) throws {
    let expressions = [configure, write, read].map(binary).joined(separator: ", ")
    try evaluate(
      """
      ok = rabbit_auth_backend_internal:set_permissions(
        \(binary(name)), \(binary(vhost)), \(expressions), <<"tests">>)
      """)
  }

  /// Sets a user's limit, "max-connections" or "max-channels"; -1 means unlimited.
  public func limit(user: String, _ what: String, to number: Int) throws {
    let limit = binary("{\"\(what)\": \(number)}")
    try evaluate(
      "ok = rabbit_auth_backend_internal:set_user_limits(\(binary(user)), \(limit), <<\"tests\">>)")
  }

  /// Adds a virtual host that "guest" may use.
  public func addVirtualHost(_ name: String, defaultQueueType type: String = "classic") throws {
    let metadata = "#{default_queue_type => \(binary(type))}"
    try evaluate("ok = rabbit_vhost:add(\(binary(name)), \(metadata), <<\"tests\">>)")
    try setPermissions(of: "guest", in: name)
  }

  public func deleteVirtualHost(_ name: String) throws {
    try evaluate("rabbit_vhost:delete(\(binary(name)), <<\"tests\">>)")
  }

  /// Stops a virtual host until `startVirtualHost(_:)`.
  public func stopVirtualHost(_ name: String) throws {
    // From RabbitMQ 4.0 on the broker starts stopped virtual hosts again, every 30 s.
    try evaluate("application:set_env(rabbit, vhost_process_reconciliation_enabled, false)")
    try evaluate("rabbit_vhost_sup_sup:delete_on_all_nodes(\(binary(name)))")
  }

  public func startVirtualHost(_ name: String) throws {
    try evaluate("{ok, _} = rabbit_vhost_sup_sup:start_vhost(\(binary(name)))")
  }

  /// Sets a virtual host's limit, "max-connections" or "max-queues"; -1 means unlimited.
  public func limit(virtualHost name: String, _ what: String, to number: Int) throws {
    let limit = binary("{\"\(what)\": \(number)}")
    try evaluate("ok = rabbit_vhost_limit:parse_set(\(binary(name)), \(limit), <<\"tests\">>)")
  }

  public func deleteUser(_ name: String) throws {
    try evaluate("ok = rabbit_auth_backend_internal:delete_user(\(binary(name)), <<\"tests\">>)")
  }

  /// The names of all queues of the default virtual host.
  public func queues() throws -> Set<String> {
    let names = try evaluate(
      #"[Name || {resource, _, _, Name} <- rabbit_amqqueue:list_names(<<"/">>)]"#)
    return Set(names.matches(of: /<<"([^"]*)">>/).map { String($0.1) })
  }

  /// The types of all queues of a virtual host, by name, from the broker's metadata; no queue is queried.
  public func queueTypes(in vhost: String = "/") throws -> [String: String] {
    let found = try evaluate(
      "[{element(4, amqqueue:get_name(Q)), amqqueue:get_type(Q)} || Q <- rabbit_amqqueue:list(\(binary(vhost)))]"
    ).matches(of: /<<"([^"]+)">>,\s*rabbit_([a-z]+)_queue/)
    return Dictionary(found.map { (String($0.1), String($0.2)) }) { first, _ in first }
  }

  /// Makes the broker retry dead-lettering of a task every 3 s instead of every 180 s.
  public func retryDeadLettersOften() throws {
    try set("dead_letter_worker_publisher_confirm_timeout", "3000")
  }

  /// The arguments of a queue in Erlang syntax: `{"x-expires",3604000}`, `{"x-queue-type",<<"classic">>}`.
  ///
  /// Their types are omitted, because RabbitMQ 4.x stores all integers as the largest integer type.
  public func arguments(ofQueue name: String) throws -> String {
    try evaluate(
      "[{binary_to_list(Name), Value} || {Name, _, Value} <- amqqueue:get_arguments(\(queue(name)))]")
  }

  /// The name of the node with the leader of a quorum queue.
  public func leader(ofQueue name: String) throws -> String {
    try evaluate("element(2, amqqueue:get_pid(\(queue(name))))")
  }

  public func closeAllConnections() throws {
    try evaluate(
      #"[rabbit_networking:close_connection(Connection, "a test") || Connection <- rabbit_networking:connections()]"#
    )
  }

  /// Makes the broker write the definitions of queues to disk.
  ///
  /// Mnesia writes them within two seconds, and Ra (for quorum queues) within three. A broker that is killed
  /// earlier loses a new queue and its contents. A broker with Khepri has no Mnesia.
  public func writeDefinitions() throws {
    try evaluate("catch mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()]")
  }

  private func queue(_ name: String) -> String {
    "element(2, {ok, _} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, \(binary(name)))))"
  }
}

/// A string as an Erlang binary literal.
///
/// erl_call passes only ASCII unmodified.
private func binary(_ text: String) -> String {
  precondition(text.allSatisfy(\.isASCII), "no ASCII: \(text)")
  return "<<\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\">>"
}
