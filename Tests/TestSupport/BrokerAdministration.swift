/// A version of RabbitMQ, as far as tests depend on it.
public struct RabbitMQVersion: Comparable, Sendable, CustomStringConvertible {
  public let major: Int
  public let minor: Int

  public init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

  /// Reads "4.3.6"; nil if that is no version.
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

/// What administrators do with rabbitmqctl, in terms of what rabbitmqctl calls in the broker.
extension Broker {
  /// What makes a broker block its publishers.
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

  /// Changes a setting of the running broker; not all settings are read again.
  ///
  /// `value` is an Erlang term. The largest message is a setting that 4.x reads only when it starts.
  public func set(_ setting: String, _ value: String) throws {
    try evaluate("ok = application:set_env(rabbit, \(setting), \(value))")
  }

  /// Adds a user with permissions, which are regular expressions, in the default virtual host.
  ///
  /// A user of that name, from an earlier run of the same test, is replaced.
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

  /// Limits what a user may have at a time: "max-connections", "max-channels"; -1 is no limit.
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

  /// Has a virtual host go down, until `startVirtualHost(_:)`.
  public func stopVirtualHost(_ name: String) throws {
    try evaluate("rabbit_vhost_sup_sup:delete_on_all_nodes(\(binary(name)))")
  }

  public func startVirtualHost(_ name: String) throws {
    try evaluate("{ok, _} = rabbit_vhost_sup_sup:start_vhost(\(binary(name)))")
  }

  /// Limits what a virtual host may have: "max-connections", "max-queues"; -1 is no limit.
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

  /// The types of all queues of a virtual host, by name, from the broker's metadata: no queue is asked.
  public func queueTypes(in vhost: String = "/") throws -> [String: String] {
    let found = try evaluate(
      "[{element(4, amqqueue:get_name(Q)), amqqueue:get_type(Q)} || Q <- rabbit_amqqueue:list(\(binary(vhost)))]"
    ).matches(of: /<<"([^"]+)">>,\s*rabbit_([a-z]+)_queue/)
    return Dictionary(found.map { (String($0.1), String($0.2)) }) { first, _ in first }
  }

  /// Has the broker try every 3 s, and not every 180 s, to dead-letter a task again.
  public func retryDeadLettersOften() throws {
    try set("dead_letter_worker_publisher_confirm_timeout", "3000")
  }

  /// The arguments of a queue as Erlang writes them: `{"x-expires",3604000}`, `{"x-queue-type",<<"classic">>}`.
  ///
  /// Their types are left out, because 4.x keeps all integers as the largest one.
  public func arguments(ofQueue name: String) throws -> String {
    try evaluate(
      "[{binary_to_list(Name), Value} || {Name, _, Value} <- amqqueue:get_arguments(\(queue(name)))]")
  }

  /// The name of the node that leads a quorum queue.
  public func leader(ofQueue name: String) throws -> String {
    try evaluate("element(2, amqqueue:get_pid(\(queue(name))))")
  }

  public func closeAllConnections() throws {
    try evaluate(
      #"[rabbit_networking:close_connection(Connection, "a test") || Connection <- rabbit_networking:connections()]"#
    )
  }

  /// Has the definitions of queues written to the disk.
  ///
  /// Mnesia writes them within two seconds and Ra, for quorum queues, within three; a broker that is killed before
  /// that has lost a new queue with all that was in it. A broker with Khepri has no Mnesia.
  public func writeDefinitions() throws {
    try evaluate("catch mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()]")
  }

  private func queue(_ name: String) -> String {
    "element(2, {ok, _} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, \(binary(name)))))"
  }
}

/// A text as an Erlang binary.
///
/// Only ASCII passes through erl_call as it is.
private func binary(_ text: String) -> String {
  precondition(text.allSatisfy(\.isASCII), "no ASCII: \(text)")
  return "<<\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\">>"
}
