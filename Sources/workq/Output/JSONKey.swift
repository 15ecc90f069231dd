/// The keys of `--json` and `--log json`: one vocabulary for all subcommands, with a table in workq(1).
///
/// A key has the same meaning everywhere: `queue` is a queue's name, `error` is why something failed, `time` is in
/// ISO 8601, and keys of numbers of seconds end in `seconds`.
enum JSONKey: String, CaseIterable {
  case action
  case appID = "app_id"
  case attempt
  case body
  case bodyBase64 = "body_base64"
  case broker
  case bytes
  case changePerSecond = "change_per_second"
  case code
  case consumers
  case contentEncoding = "content_encoding"
  case contentType = "content_type"
  case correlationID = "correlation_id"
  case created
  case delaySeconds = "delay_seconds"
  case deleted
  case delivery
  case done
  case dropped
  case error
  case event
  case exchange
  case exists
  case exitStatus = "exit_status"
  case firstTime = "first_time"
  case from
  case headers
  case held
  case lastTime = "last_time"
  case left
  case messageID = "message_id"
  case moved
  case parked
  case persistent
  case priority
  case queue
  case record
  case redelivered
  case released
  case removed
  case replyTo = "reply_to"
  case requeued
  case retried
  case retryInSeconds = "retry_in_seconds"
  case role
  case routingKey = "routing_key"
  case sample
  case scheduled
  case seconds
  case signal
  case stale
  case stderr
  case stderrBase64 = "stderr_base64"
  case stdout
  case stdoutBase64 = "stdout_base64"
  case task
  case tasks
  case time
  case timestamp
  case to
  case truncated
  case ttl
  case type
  case userID = "user_id"
  case waiting
  case waitingQueue = "waiting_queue"
  case wouldMove = "would_move"
}
