internal import ArgumentParser

/// The way in which scripts publish most: `publish [-q NAME] [-u URL] [-l] [WORD…]`, understood without
/// the parser.
///
/// The parser finds options by reflection, and needs 5 ms for publish's, three times as long as a task
/// takes to a broker and back. Everything else than these few words is left to it; that both understand
/// the same by them, a test compares.
enum PlainPublish {
  /// The command, when these arguments are of the plain kind.
  static func command(_ arguments: [String]) -> Publish? {
    guard arguments.first == "publish" else { return nil }
    var rest = arguments.dropFirst()
    var publish = Publish.withoutOptions
    while let argument = rest.popFirst() {
      switch argument {
      case "-l", "--lines": publish.input.lines = true
      case "-q", "--queue":
        guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
        publish.connection.queue = value
      case "-u", "--url":
        guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
        publish.connection.url.append(value)
      default:
        guard !argument.hasPrefix("-") else { return nil }
        publish.words.append(argument)
      }
    }
    // What is wrong with this the parser can say.
    return publish.input.lines && !publish.words.isEmpty ? nil : publish
  }
}

// What the parser makes of options that are not given. One that is forgotten here ends the program at once.

extension Publish {
  fileprivate static var withoutOptions: Publish {
    var publish = Publish()
    publish.words = []
    publish.input = .withoutOptions
    publish.properties = .withoutOptions
    publish.delivery = .withoutOptions
    publish.spool = .withoutOptions
    publish.connection = .withoutOptions
    publish.output = .withoutOptions
    return publish
  }
}

extension InputOptions {
  fileprivate static var withoutOptions: InputOptions {
    var options = InputOptions()
    (options.lines, options.null, options.delimiter, options.jsonl) = (false, false, nil, false)
    (options.file, options.failedTo) = ([], nil)
    return options
  }
}

extension PropertyOptions {
  fileprivate static var withoutOptions: PropertyOptions {
    var options = PropertyOptions()
    (options.durability, options.header, options.priority) = (nil, [], nil)
    (options.ttl, options.delay) = (nil, nil)
    (options.contentType, options.contentEncoding) = (nil, nil)
    (options.messageID, options.correlationID, options.replyTo) = (nil, nil, nil)
    (options.type, options.appID, options.userID) = (nil, nil, nil)
    return options
  }
}

extension DeliveryOptions {
  fileprivate static var withoutOptions: DeliveryOptions {
    var options = DeliveryOptions()
    (options.exchange, options.routingKey) = (nil, nil)
    (options.doesNotDeclare, options.doesNotConfirm) = (false, false)
    (options.confirmTimeout, options.retryFor) = (TimeSpan(.seconds(30)), TimeSpan(.zero))
    (options.unlessWaiting, options.printID) = (nil, false)
    return options
  }
}

extension SpoolOptions {
  fileprivate static var withoutOptions: SpoolOptions {
    var options = SpoolOptions()
    (options.isOn, options.directory, options.flushSpool) = (false, nil, false)
    return options
  }
}

extension ConnectionOptions {
  fileprivate static var withoutOptions: ConnectionOptions {
    var options = ConnectionOptions()
    (options.url, options.urlFile, options.queue) = ([], nil, nil)
    (options.host, options.port, options.vhost) = (nil, nil, nil)
    (options.username, options.passwordFile) = (nil, nil)
    (options.cacert, options.cert, options.key, options.insecure) = (nil, nil, nil, false)
    (options.connectTimeout, options.heartbeat) = (TimeSpan(.seconds(5)), TimeSpan(.seconds(30)))
    return options
  }
}

extension OutputOptions {
  fileprivate static var withoutOptions: OutputOptions {
    var options = OutputOptions()
    (options.verbose, options.quiet, options.json, options.color) = (false, false, false, .auto)
    return options
  }
}
