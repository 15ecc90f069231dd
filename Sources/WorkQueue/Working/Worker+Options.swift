package import AMQP

extension Worker {
  /// Which tasks a worker takes, what it does with them, and when it exits.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var queue: String
    /// The consumer tag.
    package var consumer: String
    /// This machine's name, for the headers of failed tasks.
    package var host: String
    /// Whether a missing queue is created.
    package var declares = true
    /// Maximum unacknowledged tasks; 0 means no limit.
    package var prefetch: UInt16 = 1
    /// Number of tasks to run in parallel.
    package var jobs = 1
    /// Whether tasks are acknowledged after their end; otherwise on delivery.
    package var acknowledges = true
    /// The command; nil means faked work.
    package var command: Command.Options?
    /// How long faked work takes for each dot.
    package var dot = Duration.seconds(1)
    package var policy = RetryPolicy()
    package var failedQueue: String
    package var bounds = Bounds()
    /// How long running tasks may take after the first signal; nil means no limit.
    package var grace: Duration?
    /// Maximum rate of starts; nil means no limit.
    package var rate: Throttle.Rate?
    /// After how many failures in a row the worker pauses; nil means never.
    package var pauseAfter: Int?
    /// How often the worker reports its state; nil means never.
    package var progressInterval: Duration?
    /// How often the worker asks the broker for the number of waiting tasks; nil means never.
    package var countInterval: Duration?
    /// How long the broker may be unreachable after the first connection; nil means no limit.
    package var reconnectsFor: Duration?

    package init(
      addresses: [Address], connection: Connection.Options, queue: String, consumer: String, host: String
    ) {
      self.addresses = addresses
      self.connection = connection
      self.queue = queue
      self.consumer = consumer
      self.host = host
      failedQueue = "\(queue).failed"
    }

    /// The consumer timeout that these options need; nil with automatic acknowledgement.
    var neededTimeout: Duration? {
      guard acknowledges else { return nil }
      return ConsumerTimeout.needed(
        timeout: command?.timeout, killAfter: command?.killAfter ?? .zero,
        prefetch: Int(bounds.prefetch(prefetch)), jobs: jobs)
    }
  }
}
