internal import AMQP

extension OptionGroup {
  /// The broker and the queue.
  static var connection: OptionGroup {
    OptionGroup(
      title: "Connection options",
      options: [
        .value(
          "url", short: "u", aliases: ["uri"], "url", repeats: true, common: true,
          default: "amqp://guest:guest@localhost:5672/%2f",
          environment: ["WORKQ_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"], "URL of the broker",
          """
          The form is `amqp://user:password@host:port/vhost`, or `amqps://...` with TLS (port 5671). Missing \
          parts are those of the default; a user needs a password. Special characters are percent-encoded. Both \
          `amqp://host` and `amqp://host/` mean the virtual host `/`.

          For a cluster, repeat the option or separate URLs with commas: workq tries the nodes in turn, at the \
          start and after a lost connection.

          Parameters can follow a `?`, separated by `&`: `heartbeat` (seconds), `connection_timeout` \
          (milliseconds), `channel_max`, `auth_mechanism` (`plain`, or `external` with TLS, where the \
          certificate of --cert names the user). With `amqps` also: `cacertfile`, `certfile`, `keyfile`, \
          `verify` (`verify_peer` or `verify_none`), and `server_name_indication` (the name in the broker's \
          certificate, if that is not the host). Any other parameter is a usage error. Parameters take \
          precedence over --heartbeat and --connect-timeout.
          """
        ) { $0.connection.urls.append($1) },
        .value(
          "url-file", "file", complete: .file, "Read the URL from the first line of <file>",
          "Required mode: 0600, or 0640 if root owns the file."
        ) { $0.connection.urlFile = Value.path($1) },
        .value("host", "host", "Host, instead of the URL's") { $0.connection.host = $1 },
        .value("port", "port", "Port, instead of the URL's") { (settings, value) throws(UsageError) in
          settings.connection.port = try Value.integer(value, 1...UInt16.max)
        },
        .value("vhost", "name", "Virtual host, instead of the URL's") { $0.connection.vhost = $1 },
        .value("username", "name", "User to log in as; needs --password-file") {
          $0.connection.username = $1
        },
        .value(
          "password-file", "file", complete: .file, "Read the password from the first line of <file>",
          """
          The required mode is that of --url-file. A password in --url causes a warning, and is overwritten in \
          the list of processes.
          """
        ) { $0.connection.passwordFile = Value.path($1) },
      ] + tls + [
        .value(
          "connect-timeout", "duration", default: "5s",
          "Maximum time to connect and log in to one node", "This includes looking up the host's name."
        ) { (settings, value) throws(UsageError) in
          settings.connection.connectTimeout = try Value.duration(value)
        },
        .value(
          "heartbeat", "duration", default: "30s", "Interval of heartbeats; 0 turns them off",
          "Whole seconds. The lower of this and the broker's value is used."
        ) { (settings, value) throws(UsageError) in
          settings.connection.heartbeat = try Value.duration(value)
        },
        .value(
          "queue", short: "q", "name", common: true, default: "task_queue", environment: ["WORKQ_QUEUE"],
          "The work queue"
        ) { (settings, value) throws(UsageError) in
          if let queue = settings.connection.queue, queue != value {
            throw UsageError(
              "two different queues, '\(Quoted.plain(queue))' and '\(Quoted.plain(value))'", use: "give one")
          }
          settings.connection.queue = value
        },
      ])
  }

  private static var tls: [Option] {
    [
      .value(
        "cacert", "file", complete: .file, "CA certificates to trust (PEM), instead of the system's",
        """
        SSL_CERT_FILE and SSL_CERT_DIR also replace the system's. This option, --cert, --key and --insecure need \
        an `amqps` URL.
        """
      ) { $0.connection.cacert = Value.path($1) },
      .value("cert", "file", complete: .file, "Client certificate (PEM); needs --key") {
        $0.connection.cert = Value.path($1)
      },
      .value(
        "key", "file", complete: .file, "Private key of the client certificate (PEM)",
        "It must not be encrypted."
      ) { $0.connection.key = Value.path($1) },
      .flag(
        "insecure", short: "k", "Do not verify the broker's certificate",
        """
        Otherwise workq verifies its CA, validity and host name or IP address.
        """
      ) { $0.connection.insecure = true },
    ]
  }

  /// How much is printed, and in which form; help and version.
  static var output: OptionGroup {
    OptionGroup(
      title: "Output options",
      options: [
        .flag(
          "verbose", short: "v", common: true, "Report each step on stderr",
          "The first line names the broker, and the option or variable that chose it."
        ) { $0.output.isVerbose = true },
        .flag("quiet", common: true, "Print errors only") { $0.output.isQuiet = true },
        .flag(
          "json", common: true, "Print results as JSON, one object per line",
          "A failure is an object, too. JSON OUTPUT in the manual has the keys."
        ) { $0.output.isJSON = true },
        .value(
          "color", "when", complete: .values(["auto", "always", "never"]), default: "auto",
          "Colour messages: auto, always or never",
          "With `auto` messages have colours at a terminal, unless NO_COLOR is set."
        ) { (settings, value) throws(UsageError) in
          settings.output.color = try Value.choice(
            value, [("auto", .auto), ("always", .always), ("never", .never)])
        },
        .flag(
          "help", short: "h", common: true, "Print the help",
          "-h prints the most used options, --help all."
        ) { $0.answer = .help },
        .flag("version", short: "V", "Print the versions of workq and rabbitmq-c") {
          $0.answer = .print("\(Version.current) (rabbitmq-c \(Connection.libraryVersion))")
        },
      ])
  }

  /// The options of the program without a subcommand.
  static var program: OptionGroup {
    OptionGroup(
      title: "Other options",
      options: [
        .value(
          "generate-completion-script", "shell", complete: .values(["bash", "zsh", "fish"]),
          "Print the completions for bash, zsh or fish"
        ) { (settings, value) throws(UsageError) in
          let shell = try Value.choice(
            value, [("bash", Completions.Shell.bash), ("zsh", .zsh), ("fish", .fish)])
          settings.answer = .print(Completions.script(for: shell))
        }
      ])
  }
}
