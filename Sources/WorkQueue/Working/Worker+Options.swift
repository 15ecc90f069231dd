package import AMQP

extension Worker {
  /// Which tasks a worker takes, what it does with them, and when it leaves.
  package struct Options: Equatable, Sendable {
    package var addresses: [Address]
    package var connection: Connection.Options
    package var queue: String
    /// The consumer's name, as the broker shows it.
    package var consumer: String
    /// This machine's name, for the tasks that failed here.
    package var host: String
    /// Whether a missing queue is made.
    package var declares = true
    /// How many tasks the broker hands us beyond those acknowledged; 0 is no limit.
    package var prefetch: UInt16 = 1
    /// How many tasks are worked on side by side.
    package var jobs = 1
    /// Whether the broker keeps a task until its work is done.
    package var acknowledges = true
    /// What works on the tasks; nil is pretending.
    package var command: Command.Options?
    /// How long the pretended work takes for each dot.
    package var dot = Duration.seconds(1)
    package var policy = RetryPolicy()
    package var failedQueue: String
    package var bounds = Bounds()
    /// How long running tasks may take after the first signal; nil is as long as they like.
    package var grace: Duration?
    /// How many tasks may begin in a time; nil is no limit.
    package var rate: Throttle.Rate?
    /// After how many failures in a row the worker pauses; nil is never.
    package var pauseAfter: Int?
    /// How often the worker reports how it stands; nil is never.
    package var progressInterval: Duration?
    /// How often the worker asks the broker how many tasks wait; nil is never.
    package var countInterval: Duration?
    /// How long a broker may be away, from the first connection on; nil is for ever.
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

    /// The time limit that fits these options; nil where tasks are not acknowledged.
    var neededTimeout: Duration? {
      guard acknowledges else { return nil }
      return ConsumerTimeout.needed(
        timeout: command?.timeout, killAfter: command?.killAfter ?? .zero,
        prefetch: Int(bounds.prefetch(prefetch)), jobs: jobs)
    }
  }
}
